package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"

	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/edge"
)

// A store tells what a bucket holds: 200 with the object's headers, or 404. The
// error is that it does not tell.
type store interface {
	head(ctx context.Context, bucket, key string) (edge.Answer, error)
}

// ossStore asks OSS, by the vendor's SDK.
type ossStore struct{ client *oss.Client }

// storeFrom returns OSS in the region of FC_REGION, or at OSS_ENDPOINT. Without
// credentials it asks as anybody may: that does for buckets that anybody may
// read.
func storeFrom(getenv func(string) string, options ...func(*oss.Config)) (ossStore, error) {
	provider := credentials.CredentialsProvider(credentials.NewAnonymousCredentialsProvider())
	if c := aliyun.CredentialsFrom(getenv); c != (aliyun.Credentials{}) {
		c, err := credentialsFrom(getenv, "")
		if err != nil {
			return ossStore{}, err
		}
		provider = credentials.NewStaticCredentialsProvider(
			c.AccessKeyID, c.AccessKeySecret, c.SecurityToken)
	}
	endpoint, err := aliyun.ParseEndpoint(getenv("OSS_ENDPOINT"))
	if err != nil {
		return ossStore{}, fmt.Errorf("OSS_ENDPOINT: %w", err)
	}
	config := oss.LoadDefaultConfig().
		WithCredentialsProvider(provider).
		WithRegion(cmp.Or(getenv("FC_REGION"), "cn-hangzhou")).
		WithProxyFromEnvironment(true).
		WithConnectTimeout(10 * time.Second).
		WithReadWriteTimeout(30 * time.Second)
	if endpoint != "" {
		config.WithEndpoint(string(endpoint)).WithUsePathStyle(true)
	}
	for _, option := range options {
		option(config)
	}
	return ossStore{oss.NewClient(config)}, nil
}

// noCode is what the SDK says where OSS gives no code: an answer to HEAD has no
// body, and not each has the header in its place.
const noCode = "BadErrorResponse"

func (s ossStore) head(ctx context.Context, bucket, key string) (edge.Answer, error) {
	if !utf8.ValidString(key) {
		refused := &refusedError{bucket: bucket, code: "InvalidObjectName", status: http.StatusBadRequest}
		return edge.Answer{}, refused
	}
	found, err := s.client.HeadObject(ctx, &oss.HeadObjectRequest{Bucket: &bucket, Key: &key})
	if err == nil {
		return edge.Answer{Status: http.StatusOK, Header: found.Headers, At: time.Now()}, nil
	}
	var refused *oss.ServiceError
	switch {
	case !errors.As(err, &refused):
		if ctx.Err() != nil {
			return edge.Answer{}, ctx.Err()
		}
		return edge.Answer{}, fmt.Errorf("asking OSS of bucket %s: %w; is FC_REGION its region?", bucket, err)
	case refused.StatusCode == http.StatusNotFound && (refused.Code == "NoSuchKey" || refused.Code == noCode):
		status, header := refused.StatusCode, refused.Headers
		return edge.Answer{Status: status, Header: header, At: time.Now()}, nil
	}
	return edge.Answer{}, &refusedError{bucket, refused.Code, refused.StatusCode, refused.RequestID}
}

// list calls visit with each object of the bucket whose key begins with prefix.
func (s ossStore) list(
	ctx context.Context, bucket, prefix string, visit func(key string, modified time.Time),
) error {
	pages := s.client.NewListObjectsV2Paginator(&oss.ListObjectsV2Request{
		Bucket: &bucket, Prefix: &prefix, MaxKeys: 1000,
	})
	for pages.HasNext() {
		page, err := pages.NextPage(ctx)
		var refused *oss.ServiceError
		switch {
		case errors.As(err, &refused):
			return &refusedError{bucket, refused.Code, refused.StatusCode, refused.RequestID}
		case err != nil:
			return fmt.Errorf("listing bucket %s: %w", bucket, err)
		}
		for _, object := range page.Contents {
			if object.Key != nil && object.LastModified != nil {
				visit(*object.Key, *object.LastModified)
			}
		}
	}
	return nil
}

// A refusedError is that OSS does not tell what a bucket holds. Its message is
// left out, since it may repeat the signed request.
type refusedError struct {
	bucket, code string
	status       int // of HTTP
	requestID    string
}

func (e *refusedError) Error() string {
	text := fmt.Sprintf("OSS gave no answer about bucket %s: %s, HTTP %d, request %s",
		e.bucket, e.code, e.status, cmp.Or(e.requestID, "unknown"))
	if e.status == http.StatusForbidden {
		text += "; the access key needs oss:GetObject and oss:ListObjects, " +
			"and FC_REGION is to be the bucket's region"
	}
	return text
}
