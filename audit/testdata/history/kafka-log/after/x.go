// Package after has the shape of the code after a bug was mended.
//
// Bug: an event of another kind is passed over and not destroyed
// Source: github.com/confluentinc/confluent-kafka-go commit bb52ff2e
package after

/*
typedef struct queue queue;
typedef struct event event;
event *rd_kafka_queue_poll(queue *q, int ms);
int rd_kafka_event_type(const event *e);
void rd_kafka_event_destroy(event *e);
*/
import "C"

func poll(q *C.queue, out chan<- int, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		default:
		}
		e := C.rd_kafka_queue_poll(q, 100)
		if e == nil {
			continue
		}
		t := C.rd_kafka_event_type(e)
		if t != 4 {
			C.rd_kafka_event_destroy(e)
			continue
		}
		out <- int(t)
		C.rd_kafka_event_destroy(e)
	}
}
