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
		signed := theirs.QueryParams["Signature"]
		delete(theirs.QueryParams, "Signature")
		if got := utils.ShaHmac1(stringToSign(theirs), secret+"&"); got != signed {
			t.Errorf("of the SDK's request the signature is %s, want %s", got, signed)
		}
		if own := ours.QueryParams["Signature"]; own == "" || own == signed {
			t.Errorf("signature %q; each request has another nonce", own)
		}
		for _, name := range []string{"Signature", "SignatureNonce", "Timestamp"} {
			delete(ours.QueryParams, name)
			delete(theirs.QueryParams, name)
		}
		if d := cmp.Diff(theirs.QueryParams, ours.QueryParams); d != "" {
			t.Errorf("query (-SDK +ours):\n%s", d)
		}
		if !bytes.Equal(ours.GetContent(), theirs.GetContent()) || ours.Headers["Content-Type"] != theirs.Headers["Content-Type"] {
			t.Errorf("body %q of type %s, want %q of type %s", ours.GetContent(), ours.Headers["Content-Type"], theirs.GetContent(), theirs.Headers["Content-Type"])
		}
	})
}
