package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/edge"
	"oss-cdn-refresh/handler/probe"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

// A probeBucket is one bucket for probe.Run.
type probeBucket struct {
	store    ossStore
	bucket   string
	versions map[string][]string // that were made of each key, where the bucket keeps them
}

func newProbeBucket(s ossStore, bucket string) *probeBucket {
	return &probeBucket{store: s, bucket: bucket, versions: map[string][]string{}}
}

// changing is how long a put or a removal may take. An interruption does not cut it:
// what arrives later would be left behind.
const changing = time.Minute

func uncut(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), changing)
}

func (b *probeBucket) Put(
	ctx context.Context, key, content, contentType string, create bool,
) error {
	ctx, cancel := uncut(ctx)
	defer cancel()
	request := &oss.PutObjectRequest{
		Bucket: &b.bucket, Key: &key, Body: strings.NewReader(content), ContentType: &contentType,
		CacheControl: oss.Ptr("max-age=86400"), // where the edge does as the origin says
	}
	if create {
		request.ForbidOverwrite = oss.Ptr("true")
	}
	// Not twice: the second would find the object of the first.
	once := func(o *oss.Options) { o.RetryMaxAttempts = oss.Ptr(1) }
	result, err := b.store.client.PutObject(ctx, request, once)
	if err != nil {
		var refused *oss.ServiceError
		if create && errors.As(err, &refused) && refused.Code == "FileAlreadyExists" {
			return &probe.ExistsError{Key: key}
		}
		return b.explain("putting an object into", "oss:PutObject", err)
	}
	b.note(key, result.VersionId)
	return nil
}

func (b *probeBucket) note(key string, version *string) {
	if version != nil && *version != "" {
		b.versions[key] = append(b.versions[key], *version)
	}
}

func (b *probeBucket) Remove(ctx context.Context, key string) error {
	ctx, cancel := uncut(ctx)
	defer cancel()
	return b.delete(ctx, key)
}

func (b *probeBucket) delete(ctx context.Context, key string) error {
	request := &oss.DeleteObjectRequest{Bucket: &b.bucket, Key: &key}
	result, err := b.store.client.DeleteObject(ctx, request)
	if err != nil {
		return b.explain("removing an object from", "oss:DeleteObject", err)
	}
	b.note(key, result.VersionId)
	return nil
}

// Erase removes the versions, the marker of a removal among them. Where there are
// none, the object.
func (b *probeBucket) Erase(ctx context.Context, key string) error {
	if len(b.versions[key]) == 0 {
		return b.delete(ctx, key)
	}
	for _, version := range slices.Backward(b.versions[key]) {
		request := &oss.DeleteObjectRequest{Bucket: &b.bucket, Key: &key, VersionId: &version}
		if _, err := b.store.client.DeleteObject(ctx, request); err != nil {
			return b.explain("removing a version from", "oss:DeleteObjectVersion", err)
		}
	}
	return nil
}

func (b *probeBucket) Head(ctx context.Context, key string) (edge.Answer, error) {
	return b.store.head(ctx, b.bucket, key)
}

// explain words an error without the message of OSS, which may repeat the signed
// request.
func (b *probeBucket) explain(doing, action string, err error) error {
	var refused *oss.ServiceError
	if !errors.As(err, &refused) {
		return fmt.Errorf("%s bucket %s: %w; is FC_REGION its region?", doing, b.bucket, err)
	}
	text := ""
	if refused.StatusCode == http.StatusForbidden {
		text = "; the access key needs " + action + ", and FC_REGION is to be the bucket's region"
	}
	return fmt.Errorf("%s bucket %s: %s, HTTP %d, request %s%s",
		doing, b.bucket, refused.Code, refused.StatusCode, refused.RequestID, text)
}

// A probeAPI is the refresh API of one product for probe.Run, with the function's
// own submission.
type probeAPI struct {
	caller    *aliyun.Caller
	submitter *refresh.Submitter
	product   string

	mu      sync.Mutex
	members []string // of answers that accept
}

func newProbeAPI(
	client *aliyun.Client, creds aliyun.Credentials, p mapping.Product, r mapping.Refresh,
) *probeAPI {
	a := &probeAPI{submitter: handler.NewSubmitter(r, 1), product: string(p)}
	a.submitter.FoldOnQuota = false // what is asked is refreshed, and nothing else
	client.Answered = a.answered
	a.caller = client.With(creds)
	return a
}

// answered collects the members of what accepts a refresh.
func (a *probeAPI) answered(operation string, members []string) {
	if !strings.HasPrefix(operation, "Refresh") || slices.Contains(members, "Code") {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range members {
		if !slices.Contains(a.members, m) {
			a.members = append(a.members, m)
		}
	}
	slices.Sort(a.members)
}

func (a *probeAPI) Submit(
	ctx context.Context, targets []mapping.Target, done func(i int, o refresh.Outcome),
) []string {
	numbered := make([]refresh.Target, len(targets))
	for i, t := range targets {
		numbered[i] = refresh.Target{Target: t, Record: i}
	}
	a.submitter.Submit(ctx, refresh.Job{
		API:      a.caller,
		Requests: refresh.Plan(refresh.Debounce(numbered), a.submitter.Limits),
		Done: func(o refresh.Outcome) {
			for _, i := range o.Item.AllRecords() {
				done(i, o)
			}
		},
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.members)
}

func (a *probeAPI) Tasks(ctx context.Context, ids []string) ([]refresh.Task, error) {
	found, err := a.caller.Tasks(ctx, a.product, ids)
	if err != nil {
		return nil, unanswered(err)
	}
	return found, nil
}

// maxTaskPages is of 50 tasks each: more than a probe makes, where others refresh
// at the same time.
const maxTaskPages = 10

func (a *probeAPI) ListTasks(
	ctx context.Context, typ string, since time.Time,
) ([]refresh.Task, error) {
	query := refresh.TaskQuery{
		Type: typ, Since: since.Add(-time.Minute), Until: time.Now().Add(time.Second),
	}
	var all []refresh.Task
	for query.Page = 1; ; query.Page++ {
		page, err := patiently(ctx, func() (refresh.TaskPage, error) {
			return a.caller.ListTasks(ctx, a.product, query)
		})
		if err != nil {
			return nil, unanswered(err)
		}
		all = append(all, page.Tasks...)
		if !page.More || query.Page == maxTaskPages {
			return all, nil
		}
		if err := sleep(ctx, taskPace); err != nil {
			return nil, err
		}
	}
}

func (a *probeAPI) Quota(ctx context.Context) (map[string]int, error) {
	found, err := a.caller.Quota(ctx, a.product)
	if err != nil {
		return nil, unanswered(err)
	}
	left := map[string]int{}
	for _, allowance := range found {
		left[allowance.Type] = allowance.Remain
	}
	return left, nil
}
