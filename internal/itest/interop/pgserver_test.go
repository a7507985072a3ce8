package interop_test

import (
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

// pgServer implements the part of PostgreSQL's protocol for a query that returns and one
// that does not, over real connections. It cancels as PostgreSQL does: by another
// connection that names the process.
type pgServer struct {
	ln  net.Listener
	url string

	mu      sync.Mutex
	running map[uint32]chan struct{} // closed to cancel
	served  sync.WaitGroup
}

func startPG(t *testing.T) *pgServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &pgServer{
		ln: ln, url: "postgres://user@" + ln.Addr().String() + "/db?sslmode=disable&default_query_exec_mode=simple_protocol",
		running: map[uint32]chan struct{}{},
	}
	s.served.Go(s.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		s.served.Wait()
	})
	return s
}

func (s *pgServer) accept() {
	for pid := uint32(1); ; pid++ {
		conn, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.served.Go(func() {
			defer conn.Close()
			s.serve(conn, pid)
		})
	}
}

func (s *pgServer) serve(conn net.Conn, pid uint32) {
	b := pgproto3.NewBackend(conn, conn)
	first, err := b.ReceiveStartupMessage()
	if err != nil {
		return
	}
	if c, ok := first.(*pgproto3.CancelRequest); ok {
		s.cancel(c.ProcessID)
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
	b.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	b.Send(&pgproto3.BackendKeyData{ProcessID: pid, SecretKey: []byte{0, 0, 0, 1}})
	for {
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		if b.Flush() != nil {
			return
		}
		m, err := b.Receive()
		if err != nil {
			return
		}
		q, ok := m.(*pgproto3.Query)
		if !ok {
			return // Terminate
		}
		s.query(b, pid, q.String)
	}
}

func (s *pgServer) query(b *pgproto3.Backend, pid uint32, text string) {
	switch {
	case strings.Contains(text, "pg_sleep"):
		<-s.begin(pid)
		b.Send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "57014", Message: "canceling statement due to user request"})
	case strings.Contains(text, "select"):
		b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("name"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}}})
		b.Send(&pgproto3.DataRow{Values: [][]byte{[]byte("Ada")}})
		b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
	default: // a ping
		b.Send(&pgproto3.EmptyQueryResponse{})
	}
}

func (s *pgServer) begin(pid uint32) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[pid] = make(chan struct{})
	return s.running[pid]
}

func (s *pgServer) cancel(pid uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.running[pid]; ok {
		close(c)
		delete(s.running, pid)
	}
}

// active returns how many queries wait.
func (s *pgServer) active() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.running)
}
