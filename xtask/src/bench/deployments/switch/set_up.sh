# Makes a load balancer and two servers behind it, and says where it answers.
ami=$1 group=$2
subnets=$(aws ec2 describe-subnets --filters Name=default-for-az,Values=true --query 'Subnets[].SubnetId' --output text)
network=$(aws ec2 describe-vpcs --filters Name=is-default,Values=true --query 'Vpcs[0].VpcId' --output text)
front=$(aws ec2 create-security-group --group-name by-hand-front --description front --vpc-id "$network" --query GroupId --output text)
servers=$(aws ec2 create-security-group --group-name by-hand-servers --description servers --vpc-id "$network" --query GroupId --output text)
aws ec2 authorize-security-group-ingress --group-id "$front" --protocol tcp --port 80 --cidr 0.0.0.0/0 >/dev/null
aws ec2 authorize-security-group-ingress --group-id "$servers" --protocol tcp --port 80 --source-group "$front" >/dev/null
balancer=$(aws elbv2 create-load-balancer --name by-hand --subnets $subnets --security-groups "$front" \
    --query 'LoadBalancers[0].LoadBalancerArn' --output text)
targets=$(aws elbv2 create-target-group --name by-hand --protocol HTTP --port 80 --vpc-id "$network" --health-check-path /healthz \
    --health-check-interval-seconds 5 --health-check-timeout-seconds 2 --healthy-threshold-count 2 --unhealthy-threshold-count 2 \
    --query 'TargetGroups[0].TargetGroupArn' --output text)
aws elbv2 modify-target-group-attributes --target-group-arn "$targets" \
    --attributes Key=deregistration_delay.timeout_seconds,Value=10 >/dev/null
aws elbv2 create-listener --load-balancer-arn "$balancer" --protocol HTTP --port 80 \
    --default-actions "Type=forward,TargetGroupArn=$targets" >/dev/null
aws elbv2 wait load-balancer-available --load-balancer-arns "$balancer"
aws ec2 create-launch-template --launch-template-name by-hand --launch-template-data \
    "{\"ImageId\": \"$ami\", \"InstanceType\": \"t3.micro\", \"SecurityGroupIds\": [\"$servers\"], \"MetadataOptions\": {\"HttpTokens\": \"required\"}}" \
    >/dev/null
aws autoscaling create-auto-scaling-group --auto-scaling-group-name "$group" --min-size 2 --max-size 2 --desired-capacity 2 \
    --launch-template LaunchTemplateName=by-hand,Version=1 --vpc-zone-identifier "${subnets//$'\t'/,}" --target-group-arns "$targets" \
    --health-check-type ELB --health-check-grace-period 600
in_service='length(AutoScalingGroups[0].Instances[?LifecycleState==`InService`])'
until [ "$(aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names "$group" --query "$in_service")" = 2 ]; do
    sleep 1
done
ids=$(aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names "$group" \
    --query 'AutoScalingGroups[0].Instances[].InstanceId' --output text)
aws elbv2 wait target-in-service --target-group-arn "$targets" --targets $(printf 'Id=%s ' $ids)
aws elbv2 describe-load-balancers --names by-hand --query 'LoadBalancers[0].DNSName' --output text
