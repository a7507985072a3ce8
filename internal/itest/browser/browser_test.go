package browser_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/inspect"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

var (
	screenshots = flag.String("screenshots", "", "directory that keeps the screenshots")
	traffic     = flag.Duration("traffic", 6*time.Second, "how long there is traffic before the screenshots are taken")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// chromium is the path of the browser. It skips the test if there is none, unless
// BROWSER=require. With BROWSER=none it always does.
func chromium(t *testing.T) string {
	t.Helper()
	if os.Getenv("BROWSER") == "none" {
		t.Skip("BROWSER=none")
	}
	path, err := exec.LookPath("chromium")
	switch {
	case err == nil:
	case os.Getenv("BROWSER") == "require":
		t.Fatal("chromium is not installed")
	default:
		t.Skip("chromium is not installed")
	}
	return path
}

// waitForWarehouse is the function in which the orders of this service are stuck.
//
//go:noinline
func waitForWarehouse(delivered <-chan struct{}) { <-delivered }

// service is a service whose handlers get stuck, with the page beside it.
type service struct {
	api, debug *httptest.Server
	delivered  chan struct{}
	deliver    func()
}

func start(t *testing.T) *service {
	t.Helper()
	s := &service{delivered: make(chan struct{})}
	s.deliver = sync.OnceFunc(func() { close(s.delivered) })
	in := inspect.New(inspect.Config{})
	errs := errmap.New(errmap.Config{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders/{id}", func(http.ResponseWriter, *http.Request) { waitForWarehouse(s.delivered) })
	mux.HandleFunc("GET /orders/{id}", func(http.ResponseWriter, *http.Request) {
		time.Sleep(time.Duration(5+rand.ExpFloat64()*20) * time.Millisecond)
	})
	mux.Handle("GET /stock/{item}", errs.Handler(func(_ http.ResponseWriter, r *http.Request) error {
		if rand.IntN(10) == 0 {
			return fmt.Errorf("item %s: %w", r.PathValue("item"), errors.New("no answer from https://stock:secret@warehouse.example/?key=secret"))
		}
		return nil
	}))
	stack := bulwark.New(bulwark.Config{
		Logging: logging.Config{Logger: slog.New(slog.DiscardHandler), OnRecord: func(context.Context, logging.Record) {}},
		Timeout: timeout.Config{Limit: 3 * time.Second},
		Errors:  errs,
	})
	s.api = httptest.NewServer(in.Middleware(stack(mux)))
	debug := http.NewServeMux()
	debug.Handle("/debug/requests", in)
	s.debug = httptest.NewServer(debug)
	t.Cleanup(func() { s.deliver(); s.api.Close(); s.debug.Close() })
	return s
}

// send makes a request that ends when its handler does, or the test.
func (s *service) send(t *testing.T, method, path, agent string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.api.URL+path, nil)
	require.NoError(t, err)
	r.Header.Set("User-Agent", agent)
	go func() {
		if res, err := s.api.Client().Do(r); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
	}()
}

// tab is a tab of a browser with the page, and what its console logged.
func tab(t *testing.T, s *service) (ctx context.Context, console func() []string) {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.WindowSize(1280, 900))
	ctx, endBrowser := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, endTab := chromedp.NewContext(ctx)
	ctx, cancel := context.WithTimeout(ctx, *traffic+2*time.Minute)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); cancel(); endTab(); endBrowser() })
	var mu sync.Mutex
	var said []string
	require.NoError(t, chromedp.Listen(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch ev := ev.(type) {
		case *log.EventEntryAdded:
			if !strings.HasSuffix(ev.Entry.URL, "/favicon.ico") {
				said = append(said, ev.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			said = append(said, ev.ExceptionDetails.Text)
		}
	}))
	call(t, ctx, log.Enable, cdp.Empty{})
	run(t, ctx, chromedp.Navigate(s.debug.URL+"/debug/requests"), visible("#main"))
	return ctx, func() []string { mu.Lock(); defer mu.Unlock(); return said }
}

type action = chromedp.Action[chromedp.Void]

func run(t *testing.T, ctx context.Context, actions ...action) { //nolint:revive // t is first everywhere
	t.Helper()
	require.NoError(t, chromedp.Do(ctx, actions...))
}

func call[P any](t *testing.T, ctx context.Context, c cdp.Command[P, cdp.Empty], params P) { //nolint:revive // the same
	t.Helper()
	_, err := chromedp.Call(ctx, c, params)
	require.NoError(t, err)
}

// value returns the value of an expression in the page.
func value[T any](t *testing.T, ctx context.Context, expression string) T { //nolint:revive // the same
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(t, err)
	return v
}

// until waits until an expression in the page is true.
func until(expression string) action {
	return chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(20*time.Second))
}

func visible(selector string) action { return chromedp.WaitVisible(chromedp.CSS(selector)) }

func click(selector string) action { return chromedp.Click(chromedp.CSS(selector)) }

const rows = `document.querySelectorAll('.requests tbody tr').length`

// A stuck handler appears by itself, its stack names the function, it is marked when it
// is abandoned, and it vanishes when it returns.
func TestStuckHandler(t *testing.T) {
	s := start(t)
	ctx, console := tab(t, s)
	assert.Zero(t, value[int](t, ctx, rows))
	s.send(t, http.MethodPost, "/orders/7", `"><script>window.pwned=1</script><img src=x onerror="window.pwned=2">`)
	run(t, ctx, until(rows+" === 1"))
	row := value[string](t, ctx, `document.querySelector('.requests tbody tr').innerText`)
	for _, want := range []string{"/orders/{id}", "/orders/7", "in the handler", "127.0.0.1", "<script>"} {
		assert.Contains(t, row, want)
	}
	run(t, ctx, until(`document.querySelector('.requests tbody tr.bad') !== null`))

	run(t, ctx, click(".requests tbody a"), visible("ol.stack"))
	own := value[[]string](t, ctx, `[...document.querySelectorAll('ol.stack li.own code')].map(e => e.innerText)`)
	require.NotEmpty(t, own)
	assert.True(t, strings.HasSuffix(own[0], "browser_test.waitForWarehouse"), own[0])
	assert.Contains(t, value[string](t, ctx, `document.querySelector('ol.stack li.own small').innerText`), "browser_test.go:")

	run(t, ctx, chromedp.Navigate(s.debug.URL+"/debug/requests"), until(rows+" === 1"))
	s.deliver()
	run(t, ctx, until(rows+" === 0"))
	assert.Contains(t, value[string](t, ctx, `document.querySelector('.failures').innerText`), "deadline")
	assert.True(t, value[bool](t, ctx, `window.pwned === undefined`))
	assert.Empty(t, console())
}

// The table can be sorted with the keyboard, and the focus stays where it is when the
// page refreshes.
func TestKeyboard(t *testing.T) {
	s := start(t)
	ctx, console := tab(t, s)
	s.send(t, http.MethodPost, "/orders/1", "a")
	run(t, ctx, until(rows+" === 1"))
	run(t, ctx, chromedp.Focus(chromedp.CSS("#sort-route")), chromedp.KeyEvent(kb.Enter), until(`location.search === '?sort=route'`))
	run(t, ctx, until(`document.querySelector('th[aria-sort] a').id === 'sort-route'`))
	run(t, ctx, chromedp.Evaluate[chromedp.Void](`window.before = document.getElementById('main')`), until(`document.getElementById('main') !== window.before`))
	assert.Equal(t, "sort-route", value[string](t, ctx, `document.activeElement.id`))
	assert.Empty(t, console())
}

// Without JavaScript there is the table, links sort it, and it refreshes.
func TestWithoutJavaScript(t *testing.T) {
	s := start(t)
	ctx, _ := tab(t, s)
	s.send(t, http.MethodPost, "/orders/1", "a")
	call(t, ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	run(t, ctx, chromedp.Navigate(s.debug.URL+"/debug/requests"))
	run(t, ctx, visible(".requests tbody tr"))
	run(t, ctx, click("#sort-left"), visible(`th[aria-sort] #sort-left`))
	run(t, ctx, chromedp.WaitReady(chromedp.CSS(`meta[http-equiv="refresh"][content="5"]`)), chromedp.WaitNotVisible(chromedp.CSS("#live")))
}

// Screenshots in light and dark, and on a narrow screen that nothing overflows.
func TestScreenshots(t *testing.T) {
	s := start(t)
	ctx, console := tab(t, s)
	s.busy(t)
	dir := *screenshots
	if dir == "" {
		dir = t.TempDir()
	}
	for _, shot := range []struct {
		name          string
		scheme        string
		width, height int64
		mobile        bool
	}{
		{"light", "light", 1280, 1000, false}, {"dark", "dark", 1280, 1000, false}, {"narrow", "light", 360, 740, true},
	} {
		call(t, ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: shot.width, Height: shot.height, DeviceScaleFactor: 1, Mobile: shot.mobile,
		})
		call(t, ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: shot.scheme}},
		})
		run(t, ctx, chromedp.Navigate(s.debug.URL+"/debug/requests"), visible("#main"))
		s.shoot(t, ctx, dir, shot.name)
		run(t, ctx, click(".requests tbody a"), visible("ol.stack"))
		s.shoot(t, ctx, dir, shot.name+"-stack")
	}
	assert.Empty(t, console())
}

// busy makes traffic, of which some gets stuck.
func (s *service) busy(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(*traffic)
	for i := 0; ; i++ {
		select {
		case <-end:
			return
		case <-tick.C:
		}
		s.send(t, http.MethodGet, fmt.Sprint("/orders/", i), "shop/1.4")
		if i%3 == 0 {
			s.send(t, http.MethodGet, fmt.Sprint("/stock/", i), "warehouse/2.0")
		}
		if i%1500 == 60 {
			s.send(t, http.MethodPost, fmt.Sprint("/orders/", i), "shop/1.4")
		}
	}
}

func (s *service) shoot(t *testing.T, ctx context.Context, dir, name string) { //nolint:revive // as above
	t.Helper()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
	overflow := value[int](t, ctx, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
	assert.Zero(t, overflow, name)
	assert.Greater(t, len(png), 5000)
}
