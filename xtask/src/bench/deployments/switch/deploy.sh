# Starts two servers of an AMI beside those that serve, and hands the traffic over.
ami=$1 old=$2 new=$3
of() { aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names "$1" --query "$2" --output text; }
version=$(aws ec2 create-launch-template-version --launch-template-name by-hand --source-version 1 \
    --launch-template-data "{\"ImageId\": \"$ami\"}" --query LaunchTemplateVersion.VersionNumber --output text)
targets=$(of "$old" 'AutoScalingGroups[0].TargetGroupARNs[0]')
aws autoscaling create-auto-scaling-group --auto-scaling-group-name "$new" --min-size 2 --max-size 2 --desired-capacity 2 \
    --launch-template "LaunchTemplateName=by-hand,Version=$version" --vpc-zone-identifier "$(of "$old" 'AutoScalingGroups[0].VPCZoneIdentifier')" \
    --target-group-arns "$targets" --health-check-type ELB --health-check-grace-period 600
until [ "$(of "$new" 'length(AutoScalingGroups[0].Instances[?LifecycleState==`InService`])')" = 2 ]; do
    sleep 5
done
ids=$(of "$new" 'AutoScalingGroups[0].Instances[].InstanceId')
aws elbv2 wait target-in-service --target-group-arn "$targets" --targets $(printf 'Id=%s ' $ids)
leaving=$(of "$old" 'AutoScalingGroups[0].Instances[].InstanceId')
aws autoscaling detach-load-balancer-target-groups --auto-scaling-group-name "$old" --target-group-arns "$targets"
aws elbv2 wait target-deregistered --target-group-arn "$targets" --targets $(printf 'Id=%s ' $leaving)
