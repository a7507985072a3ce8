package errmap

import "reflect"

// table is an indexed list of rules. It is immutable.
type table struct {
	rules []Rule // the user's, then the built-in ones
	user  int    // how many are the user's

	canceled, bodyFault int // the special rules

	bodies []body // of Is rules

	types      map[reflect.Type]*typeRules
	interfaces []int // As rules with an interface type, in order
	concrete   []int // the other As rules, for errors with an As method
	sentinels  []int // Is rules, for errors with an Is method
}

// typeRules are the rules for errors of one concrete type.
type typeRules struct {
	as      []int         // As rules; built-in rules with conditions may have the same type
	targets map[error]int // Is rules, by target
	strict  bool          // every value of the type is comparable
}

// body is a response body that was encoded in advance.
type body struct {
	document []byte // for ProblemJSON; nil if each request needs its own document
	short    []byte // for ErrorJSON
}

// newTable indexes the rules, so that a lookup costs the same for any number of them.
func newTable(rules []Rule) *table {
	t := &table{user: len(rules), types: make(map[reflect.Type]*typeRules)}
	t.rules = append(append(make([]Rule, 0, len(rules)+len(builtins)), rules...), builtins...)
	t.bodies = make([]body, len(t.rules))
	for i := range t.rules {
		r := &t.rules[i]
		switch r.special {
		case specialCanceled:
			t.canceled = i
		case specialBodyFault:
			t.bodyFault = i
			continue
		}
		switch {
		case r.isInterface():
			t.interfaces = append(t.interfaces, i)
		case r.typ != nil:
			t.concrete = append(t.concrete, i)
			s := t.rulesOf(r.typ)
			s.as = append(s.as, i)
		default:
			t.sentinels = append(t.sentinels, i)
			t.addSentinel(i)
			t.bodies[i] = body{staticDocument(&r.problem), appendError(nil, &r.problem)}
		}
	}
	return t
}

// addSentinel indexes an Is rule by its target.
func (t *table) addSentinel(i int) {
	target := t.rules[i].target
	v := reflect.ValueOf(target)
	if !v.Comparable() {
		return // the target is not comparable, so only an Is method can match it
	}
	s := t.rulesOf(v.Type())
	if s.targets == nil {
		s.targets = make(map[error]int)
	}
	if _, taken := s.targets[target]; !taken {
		s.targets[target] = i
	}
}

func (t *table) rulesOf(typ reflect.Type) *typeRules {
	s := t.types[typ]
	if s == nil {
		k := typ.Kind()
		s = &typeRules{strict: k != reflect.Struct && k != reflect.Array && typ.Comparable()}
		t.types[typ] = s
	}
	return s
}
