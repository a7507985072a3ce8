package exchange

import (
	"context"
	"net/http"
	"reflect"
)

// plainCancel is the type of the context that net/http makes for a request.
var plainCancel = func() reflect.Type {
	c, cancel := context.WithCancel(context.Background())
	cancel()
	return reflect.TypeOf(c)
}()

// Detachable reports whether the handler of an HTTP/2 request may run on a
// goroutine of its own and be left behind at its deadline: only where nobody
// but net/http has touched the request before us. A router that pools its
// contexts (Gin, Echo, chi) would give the one that the handler still holds to
// the next request.
func (x *Exchange) Detachable(w http.ResponseWriter, r *http.Request) bool {
	if x.original.ProtoMajor != 2 || r != &x.req || reflect.TypeOf(x.Parent()) != plainCancel {
		return false
	}
	if c, ok := w.(interface{ exchange() *Exchange }); !ok || c.exchange() != x {
		return false
	}
	t := reflect.TypeOf(x.inner.w)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == "net/http"
}
