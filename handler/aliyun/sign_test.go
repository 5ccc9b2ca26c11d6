package aliyun

import (
	"bytes"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/utils"
	"github.com/google/go-cmp/cmp"
)

// A request that we sign is the one that the SDK signs.
func FuzzSign(f *testing.F) {
	f.Add("https://www.example.com/%E5%9B%BE%201.png\nhttps://www.example.com/a%2Bb", "File", "LTAI", "secret", "token", false)
	f.Add("a b+c*d~e%f&g=h/i?j#图\x00\xff", "", "STS.x+y", "a/b+c=", "", true)
	f.Fuzz(func(t *testing.T, path, typ, id, secret, token string, inQuery bool) {
		request := func() *requests.RpcRequest {
			r := newRequest(NewClient("").products["dcdn"], "RefreshDcdnObjectCaches")
			params := r.FormParams
			if inQuery {
				params = r.QueryParams
			}
			params["ObjectPath"], params["ObjectType"] = path, typ
			return r
		}
		ours, theirs := request(), request()
		sign(ours, Credentials{id, secret, token})
		if err := auth.Sign(theirs, nil, regionID, credentials.NewStaticSTSCredentialsProvider(id, secret, token)); err != nil {
			t.Skip("the SDK refuses it: ", err)
		}
		for whose, r := range map[string]*requests.RpcRequest{"ours": ours, "the SDK's": theirs} {
			signed := r.QueryParams["Signature"]
			delete(r.QueryParams, "Signature")
			if want := utils.ShaHmac1(stringToSign(r), secret+"&"); signed != want {
				t.Errorf("the signature of %s is %s, want %s", whose, signed, want)
			}
		}
		if nonce := ours.QueryParams["SignatureNonce"]; nonce == "" || nonce == theirs.QueryParams["SignatureNonce"] {
			t.Errorf("nonce %q; each request has another one", nonce)
		}
		for _, name := range []string{"SignatureNonce", "Timestamp"} {
			delete(ours.QueryParams, name)
			delete(theirs.QueryParams, name)
		}
		delete(theirs.Headers, "x-acs-credentials-provider")
		if d := cmp.Diff(theirs.QueryParams, ours.QueryParams) + cmp.Diff(theirs.Headers, ours.Headers); d != "" {
			t.Errorf("query or headers (-SDK +ours):\n%s", d)
		}
		if !bytes.Equal(ours.GetContent(), theirs.GetContent()) {
			t.Errorf("body %q, want %q", ours.GetContent(), theirs.GetContent())
		}
	})
}
