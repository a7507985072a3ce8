// Package migration holds the code of docs/migration.md: for each framework the
// same small service twice, with the middleware that it had and with Bulwark.
// Its tests see to it that the page shows this code and no other, and that what
// the page says of the two is what happens when they are run.
//
// It is a module of its own, so that nobody else gets what it migrates from.
package migration
