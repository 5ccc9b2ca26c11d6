package aliyun

import (
	"maps"
	"net/url"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/utils"
)

// sign completes a request, once. It does what the SDK's auth.Sign does for a
// static credential (signature version 1.0 of RPC requests), without the header
// that names the provider. That package also links every other source of
// credentials, with parsers of JSON, INI and XML: half a megabyte of the binary,
// and a tenth of its start. FuzzSign compares the two.
func sign(request *requests.RpcRequest, creds Credentials) {
	query := request.QueryParams
	query["Action"] = request.GetActionName()
	query["Version"] = request.GetVersion()
	query["Format"] = request.GetAcceptFormat()
	query["RegionId"] = regionID
	query["Timestamp"] = utils.GetTimeInFormatISO8601()
	query["AccessKeyId"] = creds.AccessKeyID
	if creds.SecurityToken != "" {
		query["SecurityToken"] = creds.SecurityToken
	}
	query["SignatureMethod"] = "HMAC-SHA1"
	query["SignatureVersion"] = "1.0"
	query["SignatureType"] = ""
	query["SignatureNonce"] = utils.GetNonce()
	query["Signature"] = utils.ShaHmac1(stringToSign(request), creds.AccessKeySecret+"&")
	request.Headers["Content-Type"] = requests.Form
	request.SetContent([]byte(utils.GetUrlFormedMap(request.FormParams)))
}

// stringToSign has the method, the path and, sorted and percent-encoded twice,
// the parameters of query and form.
func stringToSign(request *requests.RpcRequest) string {
	params := maps.Clone(request.QueryParams)
	maps.Copy(params, request.FormParams)
	encoded := strings.ReplaceAll(utils.GetUrlFormedMap(params), "+", "%20")
	return request.GetMethod() + "&%2F&" + url.QueryEscape(encoded)
}
