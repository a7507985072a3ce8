package exchange

// Local returns the value of SetLocal, or nil. Package errmap keeps its state
// there.
func (n *Notes) Local() any {
	d := n.noted.Load()
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.local
}

// SetLocal stores v unless there is a value already, and returns the stored
// value.
func (n *Notes) SetLocal(v any) (kept any) {
	n.note(func(d *noted) {
		if d.local == nil {
			d.local = v
		}
		kept = d.local
	})
	return kept
}
