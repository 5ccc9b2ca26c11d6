package events

// sqsMessage decodes a message of SQS. Its body is a notification of S3, or a message
// of SNS that holds one.
func (d *decoder) sqsMessage(record value, p place) error {
	var body value
	if err := record.fields(field{"body", &body}); err != nil {
		return err
	}
	return d.content("", "body", body, p)
}
