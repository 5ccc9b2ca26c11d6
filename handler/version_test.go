package handler

import (
	"runtime/debug"
	"testing"
)

func TestVersionOf(t *testing.T) {
	info := func(version, revision, modified string) *debug.BuildInfo {
		return &debug.BuildInfo{
			Main:     debug.Module{Version: version},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: modified}},
		}
	}
	const commit = "347c157d5b3f0123456789abcdef0123456789ab"
	tests := []struct {
		info *debug.BuildInfo
		want string
	}{
		{info("v1.2.3", commit, "false"), "v1.2.3"},
		{info("v1.2.3+dirty", commit, "true"), "v1.2.3-dirty"},
		{info("v1.2.4-0.20261125031500-347c157d5b3f", commit, "false"), "0-347c157d5b3f"},
		{info("v0.0.0-20261125031500-347c157d5b3f+dirty", commit, "true"), "0-347c157d5b3f-dirty"},
		{info("(devel)", commit, "false"), "0-347c157d5b3f"},
		{info("(devel)", "", "false"), "0-unknown"},
		{nil, "0-unknown"},
	}
	for _, tt := range tests {
		if got := versionOf(tt.info); got != tt.want {
			t.Errorf("%+v: version %s, want %s", tt.info, got, tt.want)
		}
	}
}
