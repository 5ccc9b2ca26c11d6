package aliyun

import "fmt"

// ClientFrom returns a client of REFRESH_ENDPOINT, or of the products' public
// endpoints where it is not set.
func ClientFrom(getenv func(string) string, version string) (*Client, error) {
	endpoint, err := ParseEndpoint(getenv("REFRESH_ENDPOINT"))
	if err != nil {
		return nil, fmt.Errorf("REFRESH_ENDPOINT: %w", err)
	}
	client := NewClient(endpoint)
	client.UserAgent += "/" + version
	return client, nil
}

// CredentialsFrom reads the environment variables that the vendor's tools use.
func CredentialsFrom(getenv func(string) string) Credentials {
	return Credentials{
		AccessKeyID:     getenv("ALIBABA_CLOUD_ACCESS_KEY_ID"),
		AccessKeySecret: getenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
		SecurityToken:   getenv("ALIBABA_CLOUD_SECURITY_TOKEN"),
	}
}
