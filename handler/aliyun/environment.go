package aliyun

import "fmt"

// EndpointFrom reads REFRESH_ENDPOINT.
func EndpointFrom(getenv func(string) string) (Endpoint, error) {
	endpoint, err := ParseEndpoint(getenv("REFRESH_ENDPOINT"))
	if err != nil {
		return "", fmt.Errorf("REFRESH_ENDPOINT: %w", err)
	}
	return endpoint, nil
}

// CredentialsFrom reads the variables that the vendor's tools use.
func CredentialsFrom(getenv func(string) string) Credentials {
	return Credentials{
		AccessKeyID:     getenv("ALIBABA_CLOUD_ACCESS_KEY_ID"),
		AccessKeySecret: getenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
		SecurityToken:   getenv("ALIBABA_CLOUD_SECURITY_TOKEN"),
	}
}
