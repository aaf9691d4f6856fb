package pjrtserve

func (s *shared) transferSlots() {}
