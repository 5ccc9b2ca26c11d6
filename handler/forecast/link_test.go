package forecast

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// What only the tool uses is not linked into the deployed functions.
func TestForecastIsNotDeployed(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "../cmd/fc", "../cmd/lambda").Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := strings.Fields(string(out))
	if !slices.Contains(linked, "oss-cdn-refresh/handler/refresh") {
		t.Fatalf("refresh is not among the %d packages that the functions link", len(linked))
	}
	if slices.Contains(linked, "oss-cdn-refresh/handler/forecast") {
		t.Error("the functions link the forecast")
	}
}
