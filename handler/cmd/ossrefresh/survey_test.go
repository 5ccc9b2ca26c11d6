package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/aliyun/account"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/mapping"
)

// virtualCaller starts a server in virtual time, and calls it.
func virtualCaller(t *testing.T, api *aliyuntest.Server) *aliyun.Caller {
	t.Helper()
	api.InMemory = true
	aliyuntest.NewTestServer(t, api)
	client := aliyun.NewClient(aliyun.Endpoint(api.URL))
	client.DialWith(api.Dial)
	key := aliyuntest.TestCredential
	return client.With(aliyun.Credentials{AccessKeyID: key.AccessKeyID, AccessKeySecret: key.AccessKeySecret, SecurityToken: key.SecurityToken})
}

// surveyOf asks a server in virtual time, and returns the domains and how long
// it took.
func surveyOf(t *testing.T, api *aliyuntest.Server) (domains []account.Domain, refused []productError, took time.Duration, err error) {
	t.Helper()
	v := survey{virtualCaller(t, api), newConsole(nil, new(bytes.Buffer), new(bytes.Buffer), func(string) string { return "" })}
	start := time.Now()
	domains, refused, err = v.take(t.Context(), func(d account.Domain) bool { return account.MayHaveBucket(d.Domain) })
	took = time.Since(start)
	api.Close() // and the client's connections
	return domains, refused, took, err
}

func bucketDomains(product string, n int) (all []aliyuntest.Domain) {
	for i := range n {
		all = append(all, aliyuntest.Domain{
			Product: product, Name: fmt.Sprintf("d%d.%s.example.com", i, product),
			Sources: []aliyuntest.Source{{Type: "oss", Content: "b.oss-cn-hangzhou.aliyuncs.com"}},
			Configs: []aliyuntest.Config{{Function: "edgeroutine"}},
		})
	}
	return all
}

// Two hundred domains take seconds, and no second sees more calls than the
// operation allows.
func TestSurveyKeepsTheRate(t *testing.T) {
	t.Parallel()
	for product, most := range map[string]int{"dcdn": 30, "cdn": 100} {
		synctest.Test(t, func(t *testing.T) {
			api := &aliyuntest.Server{Account: bucketDomains(product, 201), Latency: 200 * time.Millisecond}
			domains, _, took, err := surveyOf(t, api)
			if err != nil || len(domains) != 201 || took > 12*time.Second {
				t.Fatalf("%s: %d domains in %v, %v", product, len(domains), took, err)
			}
			for _, d := range domains {
				if len(d.Configs) != 1 {
					t.Errorf("%s has %d settings", d.Name, len(d.Configs))
				}
			}
			calls := api.Calls()
			for i := range calls {
				if i+most < len(calls) && calls[i+most].Time.Sub(calls[i].Time) < time.Second {
					t.Fatalf("%s: more than %d calls in the second from %v", product, most, calls[i].Time)
				}
			}
		})
	}
}

// What is throttled is asked again; what is refused for one domain is noted there;
// a product that may not be asked is told of; any other trouble ends it.
func TestSurveyInTrouble(t *testing.T) {
	forbidden := aliyuntest.Fault{Status: 403, Code: "Forbidden.RAM"}
	tests := map[string]struct {
		fault   func(aliyuntest.Call) aliyuntest.Fault
		read    int    // domains whose settings were read
		refused string // products
		err     string
	}{
		"throttled": {
			fault: func(c aliyuntest.Call) aliyuntest.Fault {
				if c.N%2 == 0 {
					return aliyuntest.Fault{Status: 400, Code: "Throttling.User"}
				}
				return aliyuntest.Fault{}
			},
			read: 4,
		},
		"one product": {
			fault: func(c aliyuntest.Call) aliyuntest.Fault {
				if c.Product == "cdn" {
					return aliyuntest.Fault{Status: 404, Code: "CdnServiceNotFound"}
				}
				return aliyuntest.Fault{}
			},
			read: 2, refused: "[cdn]",
		},
		"settings": {
			fault: func(c aliyuntest.Call) aliyuntest.Fault {
				if c.Action == "DescribeDcdnDomainConfigs" {
					return forbidden
				}
				return aliyuntest.Fault{}
			},
			read: 2,
		},
		"no site may be listed": {
			fault: func(c aliyuntest.Call) aliyuntest.Fault {
				if c.Action == "ListSites" {
					return forbidden
				}
				return aliyuntest.Fault{}
			},
			read: 4, refused: "[esa]",
		},
		"no site is listed": {
			fault: func(c aliyuntest.Call) aliyuntest.Fault {
				if c.Product == "esa" {
					return aliyuntest.Fault{Status: 503}
				}
				return aliyuntest.Fault{}
			},
			read: 4, refused: "[esa]",
		},
		"nobody answers": {
			fault: func(aliyuntest.Call) aliyuntest.Fault { return aliyuntest.Fault{DropBefore: true} },
			err:   "asking for the domains of dcdn: DescribeDcdnUserDomains: ",
		},
		"all products": {
			fault: func(aliyuntest.Call) aliyuntest.Fault { return forbidden },
			err:   "asking for the domains of dcdn: DescribeDcdnUserDomains: Forbidden.RAM",
		},
		"credentials": {
			fault: func(aliyuntest.Call) aliyuntest.Fault {
				return aliyuntest.Fault{Status: 404, Code: "InvalidAccessKeyId.NotFound"}
			},
			err: "asking for the domains of dcdn: DescribeDcdnUserDomains: InvalidAccessKeyId.NotFound",
		},
		"no list": {
			fault: func(aliyuntest.Call) aliyuntest.Fault {
				return aliyuntest.Fault{Body: `{"RequestId":"1","TotalCount":2,"Domains":{}}`}
			},
			err: "asking for the domains of dcdn: the API counts 2 and lists none",
		},
		"never": {
			fault: func(c aliyuntest.Call) aliyuntest.Fault {
				if c.Action == "DescribeCdnDomainConfigs" {
					return aliyuntest.Fault{Status: 503}
				}
				return aliyuntest.Fault{}
			},
			err: "asking for the settings of d",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &aliyuntest.Server{Account: append(bucketDomains("dcdn", 2), bucketDomains("cdn", 2)...), Fault: tt.fault}
				domains, refused, _, err := surveyOf(t, api)
				read, products := 0, ""
				for _, d := range domains {
					if len(d.Configs) > 0 && d.Unread == "" {
						read++
					}
				}
				for _, r := range refused {
					products += fmt.Sprintf("[%s]", r.product)
				}
				if read != tt.read || products != tt.refused || (err == nil) != (tt.err == "") {
					t.Fatalf("%d read, refused %q, error %v", read, products, err)
				}
				if err != nil && !strings.HasPrefix(err.Error(), tt.err) {
					t.Errorf("error %v, want %s", err, tt.err)
				}
			})
		})
	}
}

// A host is of the site with the longest name that it ends with, whichever lists it. A
// site that is not in service has its records only where no other has them.
func TestSurveyOfNestedSites(t *testing.T) {
	record := func(site int64, name, bucket string) aliyuntest.Domain {
		return aliyuntest.Domain{
			Product: "esa", Site: site, Name: name,
			Sources: []aliyuntest.Source{{Type: "oss", Content: bucket + ".oss-cn-hangzhou.aliyuncs.com"}},
		}
	}
	synctest.Test(t, func(t *testing.T) {
		domains, _, _, err := surveyOf(t, &aliyuntest.Server{
			Sites: map[int64]string{1: "example.com", 2: "b.example.com", 3: "xample.com"},
			Account: []aliyuntest.Domain{
				record(1, "www.example.com", "one"),
				record(1, "www.b.example.com", "old"),
				record(2, "www.b.example.com", "two"),
				record(1, "img.b.example.com", "three"),
				record(2, "b.example.com", "four"),
				record(2, "b.example.com", "five"),
				record(3, "xample.com", "six"),
			},
		})
		got := map[string]string{}
		for _, d := range domains {
			var buckets []string
			for _, s := range d.Sources {
				buckets = append(buckets, account.OfHost(s.Content))
			}
			got[d.Name] = fmt.Sprint(d.Product, " ", d.Site, " ", buckets)
		}
		want := map[string]string{
			"www.example.com":   "esa 1 [one]",
			"www.b.example.com": "esa 2 [two]",
			"img.b.example.com": "esa 2 [three]",
			"b.example.com":     "esa 2 [four five]",
			"xample.com":        "esa 3 [six]",
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("error %v\n%s", err, diff)
		}
	})
}

// Of two sites it is said which one's quota is not known.
func TestQuotaThatIsNotKnown(t *testing.T) {
	var p page
	liveVerdict{Quotas: []liveQuota{{quota{"esa", 8, nil}, "GetPurgeQuota: Forbidden.RAM"}}}.text(&p)
	if want := "esa, site 8: what is left of today's quota is not known: GetPurgeQuota"; !strings.Contains(p.String(), want) {
		t.Errorf("%q is not in\n%s", want, p.String())
	}
}

// What ESA's endpoint does concerns only tables that have it.
func TestESADoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &aliyuntest.Server{
			Account: bucketDomains("dcdn", 1),
			Fault: func(c aliyuntest.Call) aliyuntest.Fault {
				if c.Product == "esa" {
					return aliyuntest.Fault{Status: 503}
				}
				return aliyuntest.Fault{}
			},
		}
		var stdout, stderr bytes.Buffer
		c := newConsole(nil, &stdout, &stderr, func(string) string { return "" })
		v := survey{virtualCaller(t, api), c}
		defer api.Close()
		compared := func(target string) error {
			table, err := mapping.Parse("t", []byte("rules: [{bucket: b, targets: ["+target+"]}]"))
			if err != nil {
				t.Fatal(err)
			}
			return liveFlag{Timeout: 5 * time.Minute}.compareWith(t.Context(), v, "t", table, nil)
		}
		if err := compared("{domain: d0.dcdn.example.com}"); err != nil {
			t.Errorf("without ESA: %v", err)
		}
		if want := "hint: asking for the sites of esa: ListSites: "; !strings.Contains(stderr.String(), want) {
			t.Errorf("%q is not in %s", want, &stderr)
		}
		if err := compared("{domain: d0.dcdn.example.com}, {domain: e.example.com, product: esa, site: 7}"); err == nil ||
			!strings.HasPrefix(err.Error(), "asking for the sites of esa: ") {
			t.Errorf("with ESA: %v", err)
		}
	})
}

// A table is not written over by one that lacks what could not be asked for.
func TestInitKeepsWhatItCannotAskFor(t *testing.T) {
	domains := bucketDomains("dcdn", 1)
	domains[0].Configs = nil
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{
		Account: domains,
		Fault: func(c aliyuntest.Call) aliyuntest.Fault {
			switch c.Product {
			case "esa":
				return aliyuntest.Fault{Status: 403, Code: "Forbidden.RAM"}
			case "cdn": // which is not activated
				return aliyuntest.Fault{Status: 404, Code: "CdnServiceNotFound"}
			}
			return aliyuntest.Fault{}
		},
	})
	for target, want := range map[string]int{
		"{domain: e.example.com, product: esa, site: 7}": 1, "{domain: d.example.com}": 0,
		"{domain: c.example.com, product: cdn}": 0,
	} {
		table := filepath.Join(t.TempDir(), "mapping.yaml")
		text := "rules: [{bucket: b, targets: [" + target + "]}]"
		if err := os.WriteFile(table, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		status := run([]string{"init", "--overwrite", "--mapping", table}, nil, &stdout, &stderr, environment(api))
		now, _ := os.ReadFile(table)
		if kept := string(now) == text; status != want || kept != (want == 1) {
			t.Errorf("%s: status %d, kept %t\n%s", target, status, kept, &stderr)
		}
	}
}
