package logging

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Others' logs had passwords in them for each of these, as
// https://github.com/beatlabs/patron/issues/1569 and
// https://github.com/google/adk-js/issues/640.
func TestScrubLeavesNoSecret(t *testing.T) {
	a := newAllowed([]string{"page", "next"})
	for _, tt := range []struct{ desc, text, want string }{
		{"one URL", "get https://u:s3cr3t@h/p?k=s3cr3t&page=2#s3cr3t now", "get https://REDACTED:REDACTED@h/p?k=REDACTED&page=2#REDACTED now"},
		{"a token as the user", "https://s3cr3t@h/p", "https://REDACTED@h/p"},
		{"a password alone", "redis://:s3cr3t@h:6379/0", "redis://REDACTED:REDACTED@h:6379/0"},
		{"the second URL of a word", "nats://h1,nats://u:s3cr3t@h2", "nats://h1,nats://REDACTED:REDACTED@h2"},
		{"both of a word", "nats://u:s3cr3t@h1:4222,nats://u:s3cr3t@h2:4222", "nats://REDACTED:REDACTED@h1:4222,nats://REDACTED:REDACTED@h2:4222"},
		{"a URL in a path", "https://web.example/save/https://u:s3cr3t@h/?k=s3cr3t", "https://web.example/save/https://REDACTED:REDACTED@h/?k=REDACTED"},
		{"several hosts", "mongodb://u:s3cr3t@h1:27017,h2:27017/db?w=1", "mongodb://REDACTED:REDACTED@h1:27017,h2:27017/db?w=REDACTED"},
		{"several hosts, no password", "mongodb://h1:27017,h2:27017/db", "mongodb://h1:27017,h2:27017/db"},
		{"a question mark in the password", `parse "postgres://u:a?s3cr3t@h/db": bad`, `parse "postgres://REDACTED:REDACTED@h/db": bad`},
		{"a number sign in the password", "postgres://u:a#s3cr3t@h/db", "postgres://REDACTED:REDACTED@h/db"},
		{"a slash in the password", "postgres://u:a/s3cr3t@h/db", "postgres://REDACTED:REDACTED@h/db"},
		{"digits before a question mark", "postgres://u:12?s3cr3t@h:5432/db", "postgres://REDACTED:REDACTED@h:5432/db"},
		{"an at sign in the password", "amqp://u:a@s3cr3t@h/", "amqp://REDACTED:REDACTED@h/"},
		{"a blank in the password", `parse "postgres://u:a s3cr3t@h/db": net/url: invalid userinfo`, `parse "postgres://REDACTED:REDACTED@h/db": net/url: invalid userinfo`},
		{"a quote in the password", `parse "postgres://u:a\" s3cr3t@h/db": net/url: invalid userinfo`, `parse "postgres://REDACTED:REDACTED@h/db": net/url: invalid userinfo`},
		{"an apostrophe in the password", "postgres://u:a's3cr3t@h/db", "postgres://REDACTED:REDACTED@h/db"},
		{"an apostrophe and a slash", "postgres://u:a'/s3cr3t@h/db", "postgres://REDACTED:REDACTED@h/db"},
		{"a scheme in the password", "https://u:p://s3cr3t@h/", "https://REDACTED:REDACTED@h/"},
		{"the host is missing", `parse "redis://u:s3cr3t": invalid port ":s3cr3t" after host`, `parse "redis://u:REDACTED": invalid port "REDACTED" after host`},
		{"the complaint alone", `invalid port ":s3c\"r3t" after host`, `invalid port "REDACTED" after host`},
		{"half of an escape", `parse "http://u:%zz@h": invalid URL escape "%zz"`, `parse "http://REDACTED:REDACTED@h": invalid URL escape "REDACTED"`},
		{"no scheme", `parse "u:s3cr3t@h:5432/db": first path segment in URL cannot contain colon`, `parse "REDACTED:REDACTED@h:5432/db": first path segment in URL cannot contain colon`},
		{"no scheme, a blank", `parse "u:a s3cr3t@h:5432/db": bad`, `parse "REDACTED:REDACTED@h:5432/db": bad`},
		{"no scheme, a question mark", "u:a?s3cr3t@h/db", "REDACTED:REDACTED@h/db"},
		{"MySQL", "dial u:s3cr3t@tcp(h:3306)/db?tls=s3cr3t", "dial REDACTED:REDACTED@tcp(h:3306)/db?tls=REDACTED"},
		{"MySQL, an at sign in the query", "dial u:s3cr3t@tcp(h:3306)/db?loc=a@s3cr3t", "dial REDACTED:REDACTED@tcp(h:3306)/db?loc=REDACTED"},
		{"no scheme, an at sign in the fragment", "u:s3cr3t@h/db#k=a@s3cr3t", "REDACTED:REDACTED@h/db#REDACTED"},
		{"no scheme, an at sign in the query", "u:s3cr3t@h?k=a@s3cr3t", "REDACTED:REDACTED@h?k=REDACTED"},
		{"no scheme, a query or a password", "u:a@b?s3cr3t@h", "REDACTED:REDACTED@REDACTED"},
		{"SQL Server", "sqlserver://h:1433;user=sa;password=s3cr3t", "sqlserver://h:1433;REDACTED"},
		{"JDBC", "jdbc:postgresql://h/db?user=u&password=s3cr3t", "jdbc:postgresql://h/db?user=REDACTED&password=REDACTED"},
		{"only an authority", "//u:s3cr3t@h/p", "//REDACTED:REDACTED@h/p"},
		{"slashes escaped as in JSON", `{"u":"https:\/\/u:s3cr3t@h\/?k=s3cr3t"}`, `{"REDACTED:REDACTED@h\/?k=REDACTED`},
		{"escaped as a whole", "next is https%3A%2F%2Fu%3As3cr3t%40h%2F%3Fk%3Ds3cr3t", "next is httpsREDACTED"},
		{"escaped in mixed case", "next is https%3A%2f%2Fu%3As3cr3t%40h", "next is httpsREDACTED"},
		{"escaped twice", "next is " + url.QueryEscape(url.QueryEscape("https://u:s3cr3t@h")), "next is httpsREDACTED"},
		{"escaped for a path", "next is " + url.PathEscape("https://u:s3cr3t@h/?k=s3cr3t"), "next is httpsREDACTED"},
		{"escaped in the path of another", "https://web.example/save/" + url.PathEscape("https://h/?k=s3cr3t"), "https://web.example/save/httpsREDACTED"},
		{"one slash escaped", "https:/%2Fu:s3cr3t@h", "httpsREDACTED"},
		{"escaped in a listed value", "/p?next=https%3A%2F%2Fh%2F%3Fk%3Ds3cr3t%20s3cr3t&page=1", "/p?next=https%3A%2F%2Fh%2F%3Fk%3DREDACTED&page=1"},
		{"escaped twice in a listed value", "/p?next=%2Fq%3Fnext%3D%252Fq%253Fk%253Ds3cr3t", "/p?next=%2Fq%3Fnext%3D%252Fq%253Fk%253DREDACTED"},
		{"escaped too often", "/p?next=" + url.QueryEscape("/p?next="+url.QueryEscape("/p?next="+url.QueryEscape("/p?next="+url.QueryEscape("/p?k=s3cr3t")))),
			"/p?next=" + url.QueryEscape("/p?next="+url.QueryEscape("/p?next="+url.QueryEscape("/p?next=REDACTED")))},
		{"a listed value that is fine", "/p?next=%2Fq%3Fpage%3D2", "/p?next=%2Fq%3Fpage%3D2"},
		{"a URL in an unlisted value", "/p?u=https://u:s3cr3t@h/?k=s3cr3t&page=1", "/p?u=REDACTED&page=1"},
		{"a reference", "GET /p?k=s3cr3t 404", "GET /p?k=REDACTED 404"},
		{"a reference's fragment", "to /cb#access_token=s3cr3t", "to /cb#REDACTED"},
		{"a fragment alone", "#access_token=s3cr3t", "#REDACTED"},
		{"a query alone", "?token=s3cr3t", "?token=REDACTED"},
		{"Base64 for a query", "https://h/p?czNjcjN0czNjcjN0Cg==", "https://h/p?REDACTED"},
		{"Base64 without padding", "https://h/p?czNjcjN0", "https://h/p?REDACTED"},
		{"in angle brackets", "<https://h/p?page=2&k=s3cr3t x>; rel=\"next\"", "<https://h/p?page=2&k=REDACTED>; rel=\"next\""},
		{"in a quotation with blanks", `Get "https://h/p?k=a s3cr3t": EOF`, `Get "https://h/p?k=REDACTED": EOF`},
		{"in a quoted quotation", `msg="Get \"https://h/p?k=a s3cr3t\": EOF" n=1`, `msg="Get \"https://h/p?k=REDACTED\": EOF" n=1`},
		{"a quotation that is cut off", `Get "https://h/p?k=a s3cr3t`, `Get "https://h/p?k=REDACTED`},
		{"opaque", "mailto:a@b?body=s3cr3t", "mailto:a@b?body=REDACTED"},
		{"a key that is a URL", "/p?https://u:s3cr3t@h=1", "/p?REDACTED"},
		{"a semicolon", "/p?page=1;k=s3cr3t", "/p?page=REDACTED"},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			got := a.scrub(tt.text)
			require.NotContains(t, got, "s3cr3t")
			require.Equal(t, tt.want, got)
			require.Equal(t, got, a.scrub(got), "what is redacted stays as it is")
		})
	}
}

func TestScrubLeavesTheRestAlone(t *testing.T) {
	a := newAllowed(nil)
	for _, text := range []string{
		"", "plain text", "did you mean this?", "either/or? no", "order #12 of C# 7", "see golang/go#20437", "owner bob@example.com",
		"mailto:bob@example.com", "git@github.com:o/r.git", "dial tcp 10.0.0.1:5432: connect: connection refused", "100% of 5%", "a%3A%2Fb", "%3A%2F", "%", "%25", "%253A%25",
		"http://localhost:8080/@user/post", "https://h:443/p/foo@v1.2.3", "http://[::1]:8080/x", "https://h/a%20b", "http://h:8080: refused",
		"SELECT * FROM t WHERE a = ? AND b = ?", "key=value, other=1", "https://example.com", "file:///etc/hosts", "a // b",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", `open "C:\\x": no such file`,
		"bufio.Scanner: token too long", "/articles/{slug:[a-z -]+}", "2006-01-02T15:04:05Z",
	} {
		require.Equal(t, text, a.scrub(text))
	}
}

func TestScrubValueTakesAHeaderAsOneURL(t *testing.T) {
	a := newAllowed(nil)
	require.Equal(t, "https://h/p?k=REDACTED", a.scrubValue("https://h/p?k=a s3cr3t"))
	require.Equal(t, "/cb#REDACTED", a.scrubValue("/cb#a s3cr3t"))
	require.Equal(t, "0; url=https://h/?k=REDACTED", a.scrubValue("0; url=https://h/?k=s3cr3t"))
	require.Equal(t, "text/html", a.scrubValue("text/html"))
}

// FuzzScrubURL tests any URL that package net/url writes, anywhere in a text.
func FuzzScrubURL(f *testing.F) {
	f.Add("https", "a", "h", "/p", "page=1&k=", "x", "Get ", ": EOF")
	f.Add("nats", "?", "h:1", "", "", "", "nats://h,", " no")
	f.Add("postgres", "'/", "h", "/db", "k=a b", "/", "parse ", `": bad`)
	f.Add("http", "://", "[::1]:80", "/@x", ";", "=", "(", ")")
	a := newAllowed([]string{"page", "next"})
	f.Fuzz(func(t *testing.T, scheme, pw, host, path, query, fragment, before, after string) {
		if strings.Contains(scheme+pw+host+path+query+fragment+before+after, secret) || len(before) > maxQuery/8 ||
			strings.ContainsAny(query, "#&=%") || strings.Contains(query, "page") || strings.Contains(query, "next") ||
			strings.Contains(query, "+") {
			return
		}
		u := url.URL{
			Scheme: scheme, User: url.UserPassword("u"+pw, pw+secret+pw), Host: host, Path: path,
			RawQuery: "page=1&" + query + "=" + secret + query, Fragment: fragment + secret,
		}
		s := u.String()
		if back, err := url.Parse(s); err != nil || back.User == nil || back.Host == "" || back.Hostname() != u.Hostname() || len(s) > maxQuery/2 {
			return // what net/url would not write
		}
		texts := []string{before + `"` + s + `" ` + after, before + " '" + s + "' " + after, `parse "` + s + `": ` + after, before + " " + s + "\n" + after}
		if strings.ContainsAny(query, spaces+"\"'`<>\\") {
			texts = texts[:0]
			texts = append(texts, `Get "`+strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`)+`": `+after)
		}
		for _, text := range texts {
			if got := a.scrub(text); strings.Contains(got, secret) {
				t.Fatalf("%q gave %q", text, got)
			}
		}
		if got := a.scrubValue(s); strings.Contains(got, secret) {
			t.Fatalf("%q gave %q", s, got)
		}
	})
}

func FuzzScrubJSON(f *testing.F) {
	f.Add("u", `{"k":"https://u:p`, `@h"}`, "a&b")
	f.Add("RawQuery", "k=", "", "<>")
	f.Add("Authorization", `"\\`, `\\"`, "")
	a := newAllowed([]string{"page"})
	f.Fuzz(func(t *testing.T, key, before, after, other string) {
		if strings.Contains(key+before+after+other, secret) || len(before)+len(after) > maxQuery/4 {
			return
		}
		in := map[string]any{
			key:       before + " https://u:" + secret + "@h/p?k=" + secret + "#" + secret + " " + after,
			"x":       []any{other, 1.5, nil, map[string]any{"Cookie": []string{secret, other}, "n": true}},
			"url":     url.URL{Scheme: "https", Host: "h", RawQuery: "page=1&k=" + secret, Fragment: secret},
			"z" + key: other,
		}
		b, err := json.Marshal(in)
		if err != nil {
			return
		}
		got := a.scrubJSON(b)
		if !json.Valid(got) || strings.Contains(string(got), secret) {
			t.Fatalf("%s gave %s", b, got)
		}
	})
}
