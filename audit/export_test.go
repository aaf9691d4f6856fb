package audit

// Related is related, for tests.
var Related = related
