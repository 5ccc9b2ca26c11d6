package handler

import (
	"runtime/debug"
	"strings"
	"sync"
)

// linkedVersion is set by the linker: see scripts/build.
var linkedVersion string

// Version is the tag of the commit that this program was built from, or "0-" and
// the first 12 digits of the commit where it has none, with "-dirty" behind it
// where the sources were changed since. It is "0-unknown" where the program was
// built without git.
var Version = sync.OnceValue(func() string {
	if linkedVersion != "" {
		return linkedVersion
	}
	info, _ := debug.ReadBuildInfo()
	return versionOf(info)
})

// versionOf reads what go build says of the commit. info may be nil.
func versionOf(info *debug.BuildInfo) string {
	var commit, dirty string
	if info != nil {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision" && len(s.Value) >= 12:
				commit = s.Value[:12]
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = "-dirty"
			}
		}
	}
	if commit == "" {
		return "0-unknown"
	}
	// go build makes a version of the commit's digits up where there is no tag.
	tag, _, _ := strings.Cut(info.Main.Version, "+")
	if tag == "" || tag == "(devel)" || strings.HasSuffix(tag, commit) {
		tag = "0-" + commit
	}
	return tag + dirty
}
