package http

// BulwarkStack is put around the handler of every Server that serves. Nil: nothing is.
var BulwarkStack func(Handler) Handler

func (s *Server) bulwark() {
	if BulwarkStack == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.Handler
	if h == nil {
		h = DefaultServeMux
	}
	if h != s.bulwarkHandler { // it may serve several listeners
		s.bulwarkHandler = BulwarkStack(h)
		s.Handler = s.bulwarkHandler
	}
}
