package events

// sqsMessage decodes a message of SQS, whose body is a notification of S3 or one
// of SNS that holds it.
func (d *decoder) sqsMessage(record value, p place) error {
	var body value
	if err := record.fields(field{"body", &body}); err != nil {
		return err
	}
	return d.content("", "body", body, p)
}
