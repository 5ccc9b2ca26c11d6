package aliyun

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/refresh"
)

func TestQuota(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Quota: aliyuntest.Quota{URLs: 10}})
	c := caller(api)
	if _, err := c.Refresh(t.Context(), call("cdn", photo)); err != nil {
		t.Fatal(err)
	}
	for product, remain := range map[string]int{"dcdn": 10, "cdn": 9} {
		got, err := c.Quota(t.Context(), product)
		if err != nil {
			t.Fatal(err)
		}
		want := []Allowance{{"File", 10, remain}, {"Directory", 100, 100}, {"IgnoreParams", 100, 100}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", product, diff)
		}
	}
}

// More ids than one call takes are asked for in several.
func TestTasks(t *testing.T) {
	for _, product := range []string{"dcdn", "cdn"} {
		api := aliyuntest.NewTestServer(t, nil)
		c := caller(api)
		ids := []string{"1"} // unknown
		for i := range 11 {
			receipt, err := c.Refresh(t.Context(), call(product, fmt.Sprintf("https://www.example.com/%d", i)))
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, receipt.TaskID)
		}
		tasks, err := c.Tasks(t.Context(), product, ids)
		if err != nil || len(tasks) != 11 {
			t.Fatalf("%s: %d tasks, %v; want 11", product, len(tasks), err)
		}
		last := tasks[10]
		if time.Since(last.Created) > time.Hour {
			t.Errorf("%s: created %v, want now", product, last.Created)
		}
		last.Created = time.Time{}
		if diff := cmp.Diff(Task{ID: ids[11], URL: "https://www.example.com/10", Type: "file", Status: "Pending", Process: "0%"}, last); diff != "" {
			t.Errorf("%s (-want +got)\n%s", product, diff)
		}
	}
}

func TestDescribeRefused(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Fault: func(aliyuntest.Call) aliyuntest.Fault {
		return aliyuntest.Fault{Status: 403, Code: "Forbidden.RAM"}
	}})
	_, quota := caller(api).Quota(t.Context(), "dcdn")
	_, tasks := caller(api).Tasks(t.Context(), "dcdn", []string{"1"})
	_, product := caller(api).Quota(t.Context(), "x")
	for err, code := range map[error]string{quota: "Forbidden.RAM", tasks: "Forbidden.RAM", product: "UnknownProduct"} {
		var refusal *refresh.Error
		if !errors.As(err, &refusal) || refusal.Code != code {
			t.Errorf("the error is %v, want %s", err, code)
		}
	}
}
