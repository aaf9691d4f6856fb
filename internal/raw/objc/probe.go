package objc

// Throw has Foundation throw an exception, by asking an empty array for its first object. It returns what came back: an
// [isthmus.Exception] where exceptions are stopped.
func (p *Pool) Throw() error {
	array, err := p.Array()
	if err != nil {
		return err
	}
	if _, err = p.rt.raw(p.thread, array.w[0], p.rt.sel.object, 0); err != nil {
		return &CallError{"NSArray", "objectAtIndex:", err}
	}
	return nil
}
