package refresh_test

import (
	"context"
	"fmt"

	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

// limits are those of the refresh API.
var limits = refresh.Limits{
	URLsPerRequest: 1000, URLsPerDomain: 100, DomainsPerRequest: 10,
	DirectoriesPerRequest: 100, RequestBytes: 256 << 10,
}

// target is a file of www.example.com that the record asks to refresh.
func target(record int, path string, event mapping.Event) refresh.Target {
	return refresh.Target{Record: record, Target: mapping.Target{
		Product: mapping.DCDN, Type: mapping.File, Event: event,
		Domain: "www.example.com", URL: "https://www.example.com" + path,
	}}
}

// Two records change one page, a third removes a file. The removal comes first,
// and all fits into one request.
func ExampleDebounce() {
	items := refresh.Debounce([]refresh.Target{
		target(0, "/index.html", mapping.Created),
		target(1, "/index.html", mapping.Created),
		target(2, "/old.pdf", mapping.Removed),
	})
	for _, item := range items {
		fmt.Println(item.URL, "for records", item.Records)
	}
	requests := refresh.Plan(items, limits)
	fmt.Println(len(requests), "request")
	// Output:
	// https://www.example.com/old.pdf for records [2]
	// https://www.example.com/index.html for records [0 1]
	// 1 request
}

// An api accepts what is not on its blacklist.
type api struct{ forbidden string }

func (a api) Refresh(_ context.Context, call refresh.Call) (refresh.Receipt, error) {
	for _, url := range call.URLs {
		if url == a.forbidden {
			return refresh.Receipt{}, &refresh.Error{Code: "InvalidObjectPath.Malformed", Class: refresh.Halve}
		}
	}
	return refresh.Receipt{TaskID: "95248880", RequestID: "1"}, nil
}

// A URL that the API refuses does not cost the others their refresh.
func ExampleSubmitter_Submit() {
	items := refresh.Debounce([]refresh.Target{
		target(0, "/a.png", mapping.Created),
		target(1, "/bad", mapping.Created),
		target(2, "/c.png", mapping.Created),
	})
	submitter := &refresh.Submitter{
		Limits:         limits,
		CallsPerSecond: map[mapping.Product]int{mapping.DCDN: 30},
	}
	result := submitter.Submit(context.Background(), refresh.Job{
		API:      api{forbidden: "https://www.example.com/bad"},
		Requests: refresh.Plan(items, limits),
	})
	for _, o := range result.Outcomes {
		if o.Err != nil {
			fmt.Println(o.Item.URL, "failed:", o.Err.Code)
		} else {
			fmt.Println(o.Item.URL, "is refreshed by task", o.Receipt.TaskID)
		}
	}
	// Output:
	// https://www.example.com/a.png is refreshed by task 95248880
	// https://www.example.com/bad failed: InvalidObjectPath.Malformed
	// https://www.example.com/c.png is refreshed by task 95248880
}
