package aliyun

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/refresh"
)

// An API in memory can be served inside a synctest bubble, where waiting takes
// no time: three calls that hang for 1.25 s take exactly 3.75 s of the bubble's
// clock, and none of this test's.
func TestHangsInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := aliyuntest.NewTestServer(t, &aliyuntest.Server{
			InMemory: true,
			Fault:    func(c aliyuntest.Call) aliyuntest.Fault { return aliyuntest.Fault{Hang: c.N < 3} },
		})
		c := caller(api)
		start := time.Now()
		for {
			ctx, cancel := context.WithTimeout(t.Context(), 1250*time.Millisecond)
			_, err := c.Refresh(ctx, call("dcdn", photo))
			cancel()
			if err == nil {
				break
			}
			if e := (*refresh.Error)(nil); !errors.As(err, &e) || e.Code != "NoAnswer" {
				t.Fatalf("the error is %v, want NoAnswer", err)
			}
		}
		if took := time.Since(start); took != 3750*time.Millisecond {
			t.Errorf("three hangs took %v, want 3.75s", took)
		}
		if len(api.Calls()) != 4 || len(api.Accepted()) != 1 {
			t.Errorf("%d calls, %d URLs accepted; want 4 and 1", len(api.Calls()), len(api.Accepted()))
		}
	})
}

// A connection of a server in memory breaks like one of a network.
func TestFaultsInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := aliyuntest.NewTestServer(t, &aliyuntest.Server{
			InMemory: true,
			Latency:  30 * time.Millisecond,
			Fault: func(c aliyuntest.Call) aliyuntest.Fault {
				return aliyuntest.Fault{DropBefore: c.N == 1, SlowBody: time.Second}
			},
		})
		c := caller(api)
		start := time.Now()
		if _, err := c.Refresh(t.Context(), call("dcdn", photo)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 1030*time.Millisecond {
			t.Errorf("the answer took %v, want 1.03s", took)
		}
		if e := refused(t, c, call("dcdn", photo)); e.Class != refresh.AgainNow {
			t.Errorf("the class of a dropped call is %v, want %v", e.Class, refresh.AgainNow)
		}
		if n := api.Connections(); n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
		if _, err := c.Refresh(t.Context(), call("cdn", photo)); err != nil {
			t.Error(err)
		}
		api.CloseClientConnections()
		synctest.Wait() // the client notices
		if _, err := c.Refresh(t.Context(), call("cdn", photo)); err != nil {
			t.Error(err)
		}
		api.Close()
		synctest.Wait()
		if e := refused(t, c, call("dcdn", photo)); !e.Unsent || e.Code != "ConnectionBroken" {
			t.Errorf("a server that is closed: %+v", e)
		}
	})
}
