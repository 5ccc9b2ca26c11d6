package deployment

import "time"

func init() { firstWait = time.Millisecond }
