// Package migration has the code of docs/migration.md. For each framework it has
// the same small service twice, with the previous middleware and with Bulwark. The
// tests check that the page shows this code, and that the statements on the page
// are true.
//
// It is a separate module, so no other module requires the other libraries.
package migration
