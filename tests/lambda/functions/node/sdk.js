// The function of the benchmark: what most functions load before they answer.
const { S3Client } = require("@aws-sdk/client-s3");
const { DynamoDBClient } = require("@aws-sdk/client-dynamodb");

const clients = [new S3Client({}), new DynamoDBClient({})];

exports.handler = async (event) => ({ event, clients: clients.length });
