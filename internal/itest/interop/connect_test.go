package interop_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

type message = wrapperspb.StringValue

const (
	unary = "/test.v1.Test/Unary"
	count = "/test.v1.Test/Count"
	chat  = "/test.v1.Test/Chat"
)

// rpc is a protocol on top of HTTP.
type rpc string

const (
	connectRPC rpc = "Connect"
	grpcWeb    rpc = "gRPC-Web"
	grpc       rpc = "gRPC"
)

func (r rpc) options() []connect.ClientOption {
	switch r {
	case grpc:
		return []connect.ClientOption{connect.WithGRPC()}
	case grpcWeb:
		return []connect.ClientOption{connect.WithGRPCWeb()}
	default:
		return nil
	}
}

// carried are the protocols that p can carry: gRPC needs HTTP/2's trailers.
func carried(p protocol) []rpc {
	if p == http1 {
		return []rpc{connectRPC, grpcWeb}
	}
	return []rpc{connectRPC, grpcWeb, grpc}
}

func rpcClient(s *server, r rpc, procedure string) *connect.Client[message, message] {
	return connect.NewClient[message, message](s.client, s.url+procedure, r.options()...)
}

// service answers what the request asks for.
func service() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(unary, connect.NewUnaryHandler(unary, func(ctx context.Context, req *connect.Request[message]) (*connect.Response[message], error) {
		switch req.Msg.GetValue() {
		case "missing":
			return nil, connect.NewError(connect.CodeNotFound, errNotFound)
		case "panic":
			panic("boom")
		case "wait":
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return connect.NewResponse(wrapperspb.String("hello, " + req.Msg.GetValue())), nil
	}))
	mux.Handle(count, connect.NewServerStreamHandler(count, func(ctx context.Context, req *connect.Request[message], out *connect.ServerStream[message]) error {
		for _, n := range []string{"1", "2"} {
			if err := out.Send(wrapperspb.String(n)); err != nil {
				return err
			}
		}
		if req.Msg.GetValue() == "wait" {
			<-ctx.Done()
			return ctx.Err()
		}
		return out.Send(wrapperspb.String("3"))
	}))
	mux.Handle(chat, connect.NewBidiStreamHandler(chat, func(_ context.Context, s *connect.BidiStream[message, message]) error {
		for {
			m, err := s.Receive()
			if err != nil {
				return nil //nolint:nilerr // the client has said all
			}
			if err := s.Send(wrapperspb.String("echo " + m.GetValue())); err != nil {
				return err
			}
		}
	}))
	return mux
}

// eachRPC runs f for each protocol of RPCs over each of HTTP.
func eachRPC(t *testing.T, f func(t *testing.T, p protocol, r rpc)) {
	each(t, protocols, func(t *testing.T, p protocol) {
		each(t, carried(p), func(t *testing.T, r rpc) { f(t, p, r) })
	})
}

// TestConnectUnary: the code that the client gets in each case, and the log record. An
// RPC's own error is an HTTP status with Connect, and a trailer of a 200 with gRPC. A
// response of Bulwark is an HTTP status for all of them.
func TestConnectUnary(t *testing.T) {
	const ok = connect.Code(0)
	writer := connect.NewErrorWriter()
	refuse := func(w http.ResponseWriter, r *http.Request, _ error) {
		_ = writer.Write(w, r, connect.NewError(connect.CodeResourceExhausted, errors.New("too large")))
	}
	cooperative := timeout.New(timeout.Config{Limit: limit, Cooperative: true})
	for _, tc := range []struct {
		desc    string
		ask     string
		st      stack
		code    connect.Code
		status  int // as logged, and with Connect on the wire
		ours    bool
		outcome logging.Outcome
	}{
		{desc: "answer", ask: "Ada", code: ok, status: 200, outcome: logging.OutcomeOK},
		{desc: "error", ask: "missing", code: connect.CodeNotFound, status: 404, outcome: logging.OutcomeOK},
		{desc: "panic", ask: "panic", code: connect.CodeUnknown, status: 500, ours: true, outcome: logging.OutcomePanic},
		{desc: "deadline", ask: "wait", st: stack{timeout: timeout.Config{Limit: limit}}, code: connect.CodeUnavailable, status: 504, ours: true, outcome: logging.OutcomeDeadline},
		{desc: "cooperative deadline", ask: "wait", st: stack{timeout: timeout.Config{Limit: limit, Cooperative: true}}, code: connect.CodeDeadlineExceeded, status: 504, outcome: logging.OutcomeDeadline},
		{desc: "cooperative deadline inside of another", ask: "wait", st: stack{at: inside, mw: []wrapper{cooperative}}, code: connect.CodeDeadlineExceeded, status: 504, outcome: logging.OutcomeDeadline},
		{desc: "too large", ask: big, st: stack{body: 1 << 10}, code: connect.CodeUnknown, status: 413, ours: true, outcome: logging.OutcomeRefused},
		{desc: "too large, with connect's ErrorWriter", ask: big, st: stack{body: 1 << 10, refuse: refuse}, code: connect.CodeResourceExhausted, status: 429, outcome: logging.OutcomeRefused},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			eachRPC(t, func(t *testing.T, p protocol, r rpc) {
				s := tc.st.serve(t, p, service())
				res, err := rpcClient(s, r, unary).CallUnary(t.Context(), connect.NewRequest(wrapperspb.String(tc.ask)))
				if tc.code == ok {
					require.NoError(t, err)
					assert.Equal(t, "hello, "+tc.ask, res.Msg.GetValue())
				} else {
					require.Error(t, err)
					assert.Equal(t, tc.code, connect.CodeOf(err), "%v", err)
				}
				status := tc.status
				if r != connectRPC && !tc.ours {
					status = http.StatusOK
				}
				l := s.logged(t, status, tc.outcome)
				assert.Equal(t, p.version(), l.Proto)
				assert.Equal(t, unary, l.Path)
			})
		})
	}
}

// TestConnectStreams: messages reach the client when they are sent, in both directions,
// and a stream that is silent for too long ends with an error.
func TestConnectStreams(t *testing.T) {
	t.Run("server", func(t *testing.T) {
		eachRPC(t, func(t *testing.T, p protocol, r rpc) {
			s := stack{timeout: timeout.Config{Limit: ample, Stream: ample}}.serve(t, p, service())
			res, err := rpcClient(s, r, count).CallServerStream(t.Context(), connect.NewRequest(wrapperspb.String("all")))
			require.NoError(t, err)
			assert.Equal(t, []string{"1", "2", "3"}, received(res))
			require.NoError(t, res.Err())
			require.NoError(t, res.Close())
			s.logged(t, 200, logging.OutcomeOK)
		})
	})
	t.Run("silent", func(t *testing.T) {
		eachRPC(t, func(t *testing.T, p protocol, r rpc) {
			s := stack{timeout: timeout.Config{Limit: ample, Stream: silence}}.serve(t, p, service())
			res, err := rpcClient(s, r, count).CallServerStream(t.Context(), connect.NewRequest(wrapperspb.String("wait")))
			require.NoError(t, err)
			defer res.Close() // from Go 1.27 on the transport waits for it also after an error
			assert.Equal(t, []string{"1", "2"}, received(res))
			assert.Equal(t, connect.CodeInternal, connect.CodeOf(res.Err()), "%v", res.Err())
			s.logged(t, 200, logging.OutcomeDeadline)
		})
	})
	t.Run("both ways", func(t *testing.T) {
		each(t, []protocol{http2, h2c}, func(t *testing.T, p protocol) {
			each(t, carried(p), func(t *testing.T, r rpc) {
				s := stack{timeout: timeout.Config{Limit: ample, Stream: ample}}.serve(t, p, service())
				c := rpcClient(s, r, chat).CallBidiStream(t.Context())
				for _, text := range []string{"one", "two"} {
					require.NoError(t, c.Send(wrapperspb.String(text)))
					m, err := c.Receive()
					require.NoError(t, err)
					assert.Equal(t, "echo "+text, m.GetValue())
				}
				s.quiet(t)
				require.NoError(t, c.CloseRequest())
				_, err := c.Receive()
				require.ErrorIs(t, err, io.EOF)
				require.NoError(t, c.CloseResponse())
				l := s.logged(t, 200, logging.OutcomeOK)
				assert.Positive(t, l.In)
				assert.Positive(t, l.Out)
			})
		})
	})
}

func received(s *connect.ServerStreamForClient[message]) (all []string) {
	for s.Receive() {
		all = append(all, s.Msg().GetValue())
	}
	return all
}

// TestConnectBudget: TrustCaller reads grpc-timeout. It does not read Connect's own
// header, but connect-go's handler does.
func TestConnectBudget(t *testing.T) {
	eachRPC(t, func(t *testing.T, p protocol, r rpc) {
		left := make(chan time.Duration, 1)
		st := stack{timeout: timeout.Config{Limit: 2 * ample, TrustCaller: func(*http.Request) bool { return true }}}
		inner := service()
		s := st.serve(t, p, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			d, _ := timeout.Remaining(req.Context())
			left <- d
			inner.ServeHTTP(w, req)
		}))
		ctx, cancel := context.WithTimeout(t.Context(), ample)
		defer cancel()
		_, err := rpcClient(s, r, unary).CallUnary(ctx, connect.NewRequest(wrapperspb.String("Ada")))
		require.NoError(t, err)
		assert.Equal(t, r == connectRPC, await(t, left) > ample)
		s.logged(t, 200, logging.OutcomeOK)
	})
}
