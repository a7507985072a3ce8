// Package itest is the root of the tests that need the whole stack, and the
// frameworks and libraries around it. Its directories have tests only:
//
//   - conformance drives the same handlers on net/http, chi, Gin and Echo and
//     compares what the client sees and what the log record says.
//   - chaos puts net/http, Gin and Echo under a random load of faults, which a seed
//     determines.
//   - faults, pairs and soak look for what goes wrong on the wire: by each kind of
//     fault, by two events at the same time, and by what many requests leave behind.
//   - interop tests other libraries behind the stack. It is a separate module.
//   - migration runs the code of docs/migration.md, before and after. It is a
//     separate module.
//   - browser tests the page of package inspect. It is a separate module.
//   - stability compares what users may rely on with docs/stability.txt.
//   - suites has scripts that run the test suites of net/http and of other
//     projects through the stack.
//
// Package raw has their HTTP clients, which look at every byte.
//
// None of these modules is published, so a service that uses Bulwark does not
// depend on the other libraries.
package itest
