// Package quota provides net/http middleware that limits how often each client may
// send requests, in one process or over a fleet.
//
//	limit := quota.New(quota.Config{Rate: quota.Rate{Requests: 100, Per: time.Minute}})
//	http.ListenAndServe(":8080", limit(mux))
//
// Each client has a bucket that holds Burst requests and is filled evenly, with
// Requests in every Per. In any period of length t, a client can send at most Burst
// + t × Requests / Per requests, even if they are concurrent. There are no fixed
// windows: with those, a client could send twice the rate around the end of a
// window, and all refused clients would return at the same time. The algorithm is
// GCRA, which keeps one number for each client.
//
// [Config].Key identifies the client. By default that is its address; see
// [ByAddress]. If clients sign in, count requests by account:
//
//	quota.New(quota.Config{
//		Rate: quota.Rate{Requests: 1000, Per: time.Hour, Burst: 50},
//		Key:  func(r *http.Request) string { return account(r.Context()) },
//	})
//
// If the cost of a request is known only after the work is done, let [Config].Cost
// return the minimum cost, and add the rest with [Charge].
//
// # Ordering
//
// Put quota inside logging and timeout. Then a refused request has a log record,
// with the outcome refused, the policy and a hash of the key, and a slow Store has
// a deadline. Put quota outside limits and everything that is expensive, such as
// reading the body or a database query. Put a policy whose Key needs the account
// inside authentication. A policy by address can protect authentication itself: put
// it outside.
//
// # Memory
//
// Without a Store, each policy keeps the buckets of at most MaxKeys clients in the
// memory of this process. [NewMemoryStore] describes what happens if there are more
// clients. To share buckets in a fleet, use the Store of module
// github.com/bulwark-go/bulwark/adapters/bulwarkredis, which keeps them in Redis or
// Valkey.
package quota
