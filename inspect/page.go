package inspect

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// page renders reports for people.
type page struct {
	templates *template.Template
	policy    string // Content-Security-Policy
}

func newPage() *page {
	return &page{
		templates: template.Must(template.New("").Parse(pageHTML)),
		policy: "default-src 'none'; style-src " + hash(pageCSS) + "; script-src " + hash(pageJS) +
			"; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	}
}

// hash returns the hash with which a Content-Security-Policy allows an inline style
// or script.
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// common has what every page needs.
type common struct {
	Title  string
	Time   string
	Style  template.CSS
	Script template.JS
}

func newCommon(title, time string) common {
	return common{title, time, template.CSS(pageCSS), template.JS(pageJS)} //nolint:gosec // both files are part of this package
}

// serve writes a report or a detail.
func (p *page) serve(w http.ResponseWriter, status int, body any, app application, q url.Values) {
	var b bytes.Buffer
	var err error
	switch body := body.(type) {
	case *report:
		err = p.templates.ExecuteTemplate(&b, "report", newReportPage(body, q))
	case *detail:
		err = p.templates.ExecuteTemplate(&b, "detail", newDetailPage(body, app, q))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}
