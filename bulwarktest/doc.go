// Package bulwarktest provides misbehaving HTTP clients and checks of handlers, for
// tests. It works with any http.Handler, with or without Bulwark, and depends only on
// the standard library.
//
// A [Client] can misbehave as net/http's client cannot: it stalls in the middle of
// a body, sends one byte at a time, disconnects, reads slowly, closes its sending
// side, uses HTTP/1.0, or pipelines. Its methods return a [Result]:
//
//	server := httptest.NewServer(stack(mux))
//	defer server.Close()
//	r, _ := http.NewRequest("POST", server.URL+"/upload", strings.NewReader(strings.Repeat("x", 1000)))
//	res := bulwarktest.Client{}.Stall(t, r, 10) // sends 10 of 1000 bytes
//	if res.Status != http.StatusRequestTimeout {
//		t.Errorf("got %+v", res)
//	}
//
// Three functions check a handler without a server. [HonorsContext] checks that it
// returns soon after its context has ended, [AnswersOnce] that it writes one
// response, and [LeaksNothing] that it leaves no goroutine behind. Each function
// runs the handler itself, and reports a fault with the stack or the source line of
// the handler.
//
// In a testing/synctest bubble, HonorsContext and LeaksNothing do not take real time.
package bulwarktest
