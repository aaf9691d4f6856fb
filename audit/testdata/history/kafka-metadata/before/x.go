// Package before has the shape of the code before a bug was mended.
//
// Bug: what the library gives through a parameter is copied and not destroyed
// Source: github.com/confluentinc/confluent-kafka-go commit d2ab44a0
package before

/*
typedef struct rd_kafka_s rd_kafka_t;
struct rd_kafka_metadata { int broker_cnt; };
int rd_kafka_metadata(rd_kafka_t *rk, int all, void *only, const struct rd_kafka_metadata **out, int ms);
void rd_kafka_metadata_destroy(const struct rd_kafka_metadata *m);
*/
import "C"

func brokers(rk *C.rd_kafka_t) int {
	var md *C.struct_rd_kafka_metadata
	if C.rd_kafka_metadata(rk, 1, nil, &md, 1000) != 0 { // want cstring-leak
		return -1
	}
	return int(md.broker_cnt)
}
