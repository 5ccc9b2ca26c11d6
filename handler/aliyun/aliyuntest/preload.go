package aliyuntest

// The refusals of preloading: "PreloadDcdnObjectCaches, API reference".
var errPreloadQuota = &refusal{400, "QuotaExceeded.Preload", "Your refresh attempts have exceeded the daily limit."}

// preload takes URLs to load into the cache: PreloadDcdnObjectCaches of DCDN and
// PushObjectCache of CDN. It loads nothing.
func (s *Server) preload(q request) answer {
	name := "PreloadTaskId"
	if q.Product == "cdn" || s.PushTaskID {
		name = "PushTaskId"
	}
	id, refused := s.recordPreload(q, errPath)
	if refused != nil {
		return refused.answer(q)
	}
	return success(q, map[string]any{name: id})
}

// recordPreload makes the checks that the products have in common, and returns the
// task id. A URL that cannot be preloaded is refused as wrong.
func (s *Server) recordPreload(q request, wrong *refusal) (id string, refused *refusal) {
	q.Type, q.Force = "Preload", false
	for _, check := range []func(request) *refusal{
		s.checkPolicy, func(q request) *refusal { return s.checkPathsOf(q, wrong) },
		s.checkLimits, s.checkDomains, s.checkQuota,
	} {
		if refused := check(q); refused == errQuota {
			return "", errPreloadQuota
		} else if refused != nil {
			return "", refused
		}
	}
	return s.record(q), nil
}
