package errmap
