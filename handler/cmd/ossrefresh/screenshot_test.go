package main

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// siteHistory is the git log of a site that was made up: the documents of a product,
// some of which change on a working day, and all with a release.
func siteHistory() []byte {
	var pages []string
	for _, part := range []string{"guide", "reference", "tutorial", "api"} {
		for n := range 90 {
			pages = append(pages, fmt.Sprintf("docs/%s/%d/index.html", part, n+1))
		}
	}
	var log bytes.Buffer
	versions := 0
	publish := func(at time.Time, pages []string) {
		fmt.Fprintf(&log, "%040x %d\x00\n", at.Unix(), at.Unix())
		for _, name := range append([]string{"index.html", "sitemap.xml"}, pages...) {
			versions++
			fmt.Fprintf(&log, ":100644 100644 %040x %040x M\x00%s\x00", versions, versions+1, name)
		}
	}
	random := rand.New(rand.NewPCG(1, 2)) // the same history each time
	monday := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	publish(monday, pages) // the first fill
	for day := range 13 * 7 {
		at := monday.AddDate(0, 0, day)
		if day%7 > 4 {
			continue
		}
		if day%7 == 2 {
			for range random.IntN(4) {
				at = at.Add(time.Hour)
				publish(at, pages)
			}
		}
		for range 1 + random.IntN(3) {
			at = at.Add(time.Hour)
			first := random.IntN(len(pages) - 60)
			publish(at, pages[first:first+3+random.IntN(57)])
		}
	}
	return log.Bytes()
}

// screenshot shows a page in Chromium, as long as it is, in a theme of the user's.
func screenshot(t *testing.T, chromium, page string, th theme) image.Image {
	t.Helper()
	const width = "960"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	measured, file := filepath.Join(dir, "page.html"), filepath.Join(dir, "page.png")
	probe := `<script>document.title = document.documentElement.scrollHeight</script>`
	if err := os.WriteFile(measured, append(text, probe...), 0o600); err != nil {
		t.Fatal(err)
	}
	height := title(t, chromium, measured, width)
	scheme := map[string]string{"dark": "0", "light": "1"}[th.name] // as Chromium numbers them
	browse(t, chromium, page, "--window-size="+width+","+height, "--force-device-scale-factor=2",
		"--hide-scrollbars", "--blink-settings=preferredColorScheme="+scheme, "--screenshot="+file)
	shot, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer shot.Close()
	img, err := png.Decode(shot)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// title is what a page's scripts have made of its title.
func title(t *testing.T, chromium, page, width string) string {
	t.Helper()
	out := browse(t, chromium, page, "--window-size="+width+",900", "--dump-dom")
	_, rest, _ := strings.Cut(string(out), "<title>")
	title, _, _ := strings.Cut(rest, "</title>")
	return title
}

// inFewColors returns the picture in its 64 most frequent colours, and those next to
// them, which makes a page's file a third as large.
func inFewColors(img image.Image) *image.Paletted {
	counts := map[color.RGBA]int{}
	each := func(visit func(x, y int, c color.RGBA)) {
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				visit(x, y, color.RGBAModel.Convert(img.At(x, y)).(color.RGBA))
			}
		}
	}
	each(func(_, _ int, c color.RGBA) { counts[c]++ })
	colors := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	var palette color.Palette
	for _, c := range colors[:min(64, len(colors))] {
		palette = append(palette, c)
	}
	nearest := map[color.RGBA]uint8{}
	for c := range counts {
		nearest[c] = uint8(palette.Index(c))
	}
	few := image.NewPaletted(img.Bounds(), palette)
	each(func(x, y int, c color.RGBA) { few.SetColorIndex(x, y, nearest[c]) })
	return few
}

// encodePNG writes a picture with a remark in it, a tEXt chunk (RFC 2083, 4.2.7).
func encodePNG(t *testing.T, img image.Image, remark string) []byte {
	t.Helper()
	var file bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	const header = 8 + 25 // the signature and the first chunk
	text := "tEXt" + remark
	var chunk []byte
	chunk = binary.BigEndian.AppendUint32(chunk, uint32(len(remark)))
	chunk = append(chunk, text...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE([]byte(text)))
	return slices.Insert(file.Bytes(), header, chunk...)
}
