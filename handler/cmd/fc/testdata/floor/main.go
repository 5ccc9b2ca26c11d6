// Command floor is the least that a function can be: it decodes the event with
// the platform's SDK and returns. scripts/bench measures the function against
// it.
package main

import (
	"context"

	"github.com/aliyun/fc-runtime-go-sdk/events"
	"github.com/aliyun/fc-runtime-go-sdk/fc"
)

func main() {
	fc.Start(func(_ context.Context, event events.OssEvent) (int, error) {
		return len(event.Events), nil
	})
}
