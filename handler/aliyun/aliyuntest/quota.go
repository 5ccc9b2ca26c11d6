package aliyuntest

import "strconv"

// describeQuota answers with the numbers as strings, as the API does.
func (s *Server) describeQuota(q request) answer {
	fields := map[string]any{}
	names := map[string]string{
		"File": "Url", "Directory": "Dir", "IgnoreParams": "IgnoreParams", "Preload": "Preload",
	}
	for kind, name := range names {
		quota := s.Quota.of(kind)
		fields[name+"Quota"] = strconv.Itoa(quota)
		fields[name+"Remain"] = strconv.Itoa(quota - s.used[allowance{q.Product, 0, kind}])
	}
	return success(q, fields)
}
