// Package bulwarkredis provides a Store for package quota in Redis or Valkey. With
// it, a rate applies to all processes of a fleet together, and is exact.
//
//	store := bulwarkredis.NewStore(bulwarkredis.Config{Client: client, Replicas: 4})
//	limit := quota.New(quota.Config{
//		Rate:  quota.Rate{Requests: 100, Per: time.Minute},
//		Store: store,
//	})
//
// # Decisions
//
// A decision is one call of a script. The script reads the server's clock and one
// key, decides by GCRA, and writes the key, which expires when the bucket is full.
// The clocks of the processes do not matter. Concurrent decisions share a pipeline,
// and so a round trip. If a key is refused, the process does not ask the server
// about that key again until its Retry-After has passed.
//
// The commands are EVALSHA, EVAL, TIME, GET, SET with PX, and DEL. Redis 6 and newer
// (tested with 7.0) and all versions of Valkey have them. The script reads the clock
// before it writes, which requires effects replication, the default since Redis 5.
// Each call has one key, as clusters require.
//
// # If the server is slow or down
//
// A decision waits for the server for at most Timeout. Then Fallback decides. After
// several failures a circuit breaker lets Fallback decide at once, and tries the
// server once a second until it responds. No request fails because of the server.
// What Fallback admits is in addition to what the server admits. With the default
// Fallback, all Replicas together admit at most the Rate in addition.
//
// Set ContextTimeoutEnabled in go-redis's options. Without it, go-redis does not
// end a call at its deadline. Decisions then do not wait longer, but the connection
// stays in use until ReadTimeout.
//
// A server loses keys if it restarts without persistence, is flushed, or fails over
// to a replica that is behind. The buckets of these keys are then full. If the
// server may run out of memory, use the eviction policy volatile-ttl, which evicts
// the buckets that are nearest to full.
package bulwarkredis
