package errmap

import "reflect"

// table is a list of rules with the ways to find them. It is never changed
// once it is made.
type table struct {
	rules []Rule // the user's, then the built-in ones
	user  int    // how many are the user's

	types      map[reflect.Type]*slot
	interfaces []int // As rules with an interface type, in order
	concrete   []int // the other As rules, for errors with an As method
	sentinels  []int // Is rules, for errors with an Is method
}

// slot is what the rules say about errors of one concrete type.
type slot struct {
	as      []int         // As rules; more than one where built-ins tell apart what a user's rule does not
	targets map[error]int // Is rules, by target
	strict  bool          // every value of the type can be compared
}

// newTable indexes the rules, so that looking one up costs the same for any
// number of them.
func newTable(rules []Rule) *table {
	t := &table{user: len(rules), types: make(map[reflect.Type]*slot)}
	t.rules = append(append(make([]Rule, 0, len(rules)+len(builtins)), rules...), builtins...)
	for i := range t.rules {
		switch r := &t.rules[i]; {
		case r.byInterface():
			t.interfaces = append(t.interfaces, i)
		case r.typ != nil:
			t.concrete = append(t.concrete, i)
			s := t.slot(r.typ)
			s.as = append(s.as, i)
		default:
			t.sentinels = append(t.sentinels, i)
			t.aim(i)
		}
	}
	return t
}

// aim enters an Is rule under its target.
func (t *table) aim(i int) {
	target := t.rules[i].target
	v := reflect.ValueOf(target)
	if !v.Comparable() {
		return // only an Is method can find it
	}
	s := t.slot(v.Type())
	if s.targets == nil {
		s.targets = make(map[error]int)
	}
	if _, taken := s.targets[target]; !taken {
		s.targets[target] = i
	}
}

func (t *table) slot(typ reflect.Type) *slot {
	s := t.types[typ]
	if s == nil {
		k := typ.Kind()
		s = &slot{strict: k != reflect.Struct && k != reflect.Array && typ.Comparable()}
		t.types[typ] = s
	}
	return s
}
